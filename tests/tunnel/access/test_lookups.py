"""Name look-ups: so many at once for each identity, and an answer in time. The resolver is a script."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fastmux.tunnel.access.lookups import Lookups
from fastmux.tunnel.constants import MAX_RESOLVED_ADDRESSES

Answer = list[tuple[Any, ...]]


def row(address: str, family: int = socket.AF_INET) -> tuple[Any, ...]:
    tail = (0, 0) if family == socket.AF_INET6 else ()
    return (family, socket.SOCK_STREAM, 6, "", (address, 80, *tail))


class Resolver:
    """Stands in for the event loop's: answers when it is told to, and knows how many wait in it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: Answer | OSError | None = None) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.running = 0
        self.go = asyncio.Event()
        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", self._getaddrinfo())

    def _getaddrinfo(self) -> Callable[..., Awaitable[Answer]]:
        async def getaddrinfo(loop: object, name: str, port: int, **options: Any) -> Answer:
            self.asked.append(name)
            self.running += 1
            try:
                if self.answer is None:
                    await self.go.wait()
            finally:
                self.running -= 1
            if isinstance(self.answer, OSError):
                raise self.answer
            return self.answer or [row("8.8.8.8")]

        return getaddrinfo


async def look_up(lookups: Lookups, name: str = "a.example", identity: str = "me") -> list[tuple[int, Any]]:
    return await lookups.addresses(identity, name, 80, socket.SOCK_STREAM)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_each_address_comes_once_in_the_order_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        six = row("2606:4700::1", socket.AF_INET6)
        Resolver(monkeypatch, [six, row("8.8.8.8"), six, (99, 1, 0, "", ("x",))])
        assert await look_up(Lookups()) == [
            (socket.AF_INET6, ("2606:4700::1", 80, 0, 0)),
            (socket.AF_INET, ("8.8.8.8", 80)),
        ]

    asyncio.run(main())


def test_a_name_with_very_many_addresses_has_some_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        Resolver(monkeypatch, [row(f"8.8.{number // 256}.{number % 256}") for number in range(1000)])
        assert len(await look_up(Lookups())) == MAX_RESOLVED_ADDRESSES

    with caplog.at_level("INFO", "fastmux.tunnel.lookups"):
        asyncio.run(main())
    assert "1000 addresses" in caplog.text


def test_errors_of_the_resolver_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        Resolver(monkeypatch, socket.gaierror(socket.EAI_NONAME, "no such name"))
        lookups = Lookups()
        for _ in range(10):  # and leave nothing behind
            with pytest.raises(socket.gaierror, match="no such name"):
                await look_up(lookups)

    asyncio.run(main())


def test_a_lookup_that_was_given_up_counts_until_its_thread_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the resolver's threads, which all identities share."""

    async def main() -> None:
        resolver = Resolver(monkeypatch)
        lookups = Lookups(timeout=0.01, per_identity=2)
        for _ in range(5):
            with pytest.raises(TimeoutError, match=r"looking up a\.example took longer than 0\.01 s"):
                await look_up(lookups)
        assert resolver.running == 2 and len(resolver.asked) == 2
        resolver.go.set()
        await settle()
        assert resolver.running == 0
        assert await look_up(lookups) == [(socket.AF_INET, ("8.8.8.8", 80))]

    asyncio.run(main())


def test_one_identity_does_not_hold_up_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        resolver = Resolver(monkeypatch)
        lookups = Lookups(per_identity=2)
        greedy = [asyncio.create_task(look_up(lookups, f"{number}.example")) for number in range(20)]
        await settle()
        other = asyncio.create_task(look_up(lookups, "other.example", "other"))
        await settle()
        assert resolver.asked == ["0.example", "1.example", "other.example"]
        resolver.go.set()
        await other
        assert len(await asyncio.gather(*greedy)) == 20

    asyncio.run(main())


def test_too_many_waiting_lookups_are_refused_and_ten_times_the_usual_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        resolver = Resolver(monkeypatch)
        lookups = Lookups(per_identity=1, max_waiting=60)  # a page load looks up about six at once
        tasks = [asyncio.create_task(look_up(lookups)) for _ in range(61)]
        await settle()
        with pytest.raises(OSError, match="too many names"):
            await look_up(lookups)
        resolver.go.set()
        await asyncio.gather(*tasks)
        assert await look_up(lookups)

    asyncio.run(main())


def test_who_stops_waiting_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        resolver = Resolver(monkeypatch)
        lookups = Lookups(per_identity=1, max_waiting=1)
        running, waiting = (asyncio.create_task(look_up(lookups)) for _ in range(2))
        await settle()
        waiting.cancel()
        running.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
        assert resolver.running == 1  # its thread cannot be stopped
        again = asyncio.create_task(look_up(lookups))
        await settle()
        resolver.go.set()
        assert await again

    asyncio.run(main())
