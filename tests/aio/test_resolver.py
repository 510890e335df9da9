"""Addresses are taken as they are, names are looked up in a thread."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from fastmux.aio.resolver import addresses_of, check_port


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


@pytest.mark.parametrize("port", [-1, 0, 65536, 4433 + 65536])
def test_what_is_no_port_is_refused_instead_of_taken_modulo(port: int) -> None:
    with pytest.raises(ValueError, match=f"a port is 1 to 65535, not {port}"):
        check_port(port)


def test_a_listeners_port_may_be_0_and_every_port_is_an_integer() -> None:
    assert check_port(0, 0) == 0
    assert check_port(65535) == 65535
    wrong: Any
    for wrong in ("4433", None, 1.5):
        with pytest.raises(TypeError):
            check_port(wrong)


def test_where_there_is_no_ipv6_any_address_is_that_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, socket.AF_INET6)
    assert resolve(None, flags=socket.AI_PASSIVE) == [(socket.AF_INET, ("0.0.0.0", 4433))]
    refuse(monkeypatch, socket.AF_INET, socket.AF_INET6)
    assert resolve(None, flags=socket.AI_PASSIVE) != []  # binding says what is wrong


def refuse(monkeypatch: pytest.MonkeyPatch, *families: int) -> None:
    """Let this system have no sockets of these families."""
    make = socket.socket

    def checked(family: int = -1, *args: Any, **options: Any) -> socket.socket:
        if family in families:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return make(family, *args, **options)

    monkeypatch.setattr("fastmux.aio.resolver.socket.socket", checked)
