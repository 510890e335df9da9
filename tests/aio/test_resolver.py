"""Addresses are taken as they are, names are looked up in a thread."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from fastmux.aio.resolver import addresses_of


def resolve(host: str | None, *, flags: int = 0) -> list[tuple[int, Any]]:
    async def main() -> list[tuple[int, Any]]:
        return await addresses_of(host, 4433, flags=flags)

    return asyncio.run(main())


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The hosts that a thread was asked for."""
    asked: list[object] = []
    look_up = asyncio.BaseEventLoop.getaddrinfo

    async def counting(loop: asyncio.BaseEventLoop, host: Any, *args: Any, **options: Any) -> Any:
        asked.append(host)
        return await look_up(loop, host, *args, **options)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", counting)
    return asked


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", (socket.AF_INET, ("127.0.0.1", 4433))),
        ("::1", (socket.AF_INET6, ("::1", 4433, 0, 0))),
    ],
)
def test_an_address_is_not_looked_up(host: str, expected: object, lookups: list[object]) -> None:
    assert resolve(host) == [expected]
    assert lookups == []


def test_no_host_is_any_address(lookups: list[object]) -> None:
    found = resolve(None, flags=socket.AI_PASSIVE)
    assert (socket.AF_INET, ("0.0.0.0", 4433)) in found
    assert lookups == []


def test_a_name_is_looked_up_and_each_address_comes_once(lookups: list[object]) -> None:
    found = resolve("localhost")
    assert lookups == ["localhost"]
    assert len(found) == len(set(found))
    assert {address[0] for _, address in found} <= {"127.0.0.1", "::1"}


def test_a_name_that_nobody_has_is_an_error() -> None:
    with pytest.raises(OSError):
        resolve("no-such-host.invalid")
