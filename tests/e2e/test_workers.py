"""Many worker processes on one port: clients spread over them, may roam, and outlive other workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

import fastmux
from e2e.moving_relay import MovingRelay
from e2e.support import linux_only, run
from e2e.workers import Workers

pytestmark = [linux_only, pytest.mark.slow]

MESSAGE = b"are you still there?"


async def worker_of(conn: fastmux.Connection) -> int:
    """The worker that has this connection, as it says itself."""
    stream = await conn.accept()
    await stream.aclose()
    return int(stream.label)


async def is_alive(conn: fastmux.Connection, size: int = len(MESSAGE)) -> bool:
    """Whether an echo of `size` bytes comes back whole within a few seconds."""
    try:
        async with asyncio.timeout(10):
            stream = await conn.open_stream()
            sending = asyncio.create_task(stream.send((MESSAGE * (size // len(MESSAGE) + 1))[:size]))
            received = 0
            while received < size:
                received += len(await stream.receive())
            await sending
            await stream.aclose()
    except (ConnectionError, TimeoutError):
        return False
    return received == size


def abort(connections: list[fastmux.Connection]) -> None:
    for conn in connections:
        conn.abort()


@pytest.mark.parametrize("count", [2, 4])
def test_connections_spread_evenly_over_the_workers_and_stay_there(count: int) -> None:
    async def main() -> None:
        connections: list[fastmux.Connection] = []
        workers: list[int] = []
        async with Workers(count) as group:
            for _ in range(10):  # twenty at a time: a storm of handshakes is not the subject
                opened = await asyncio.gather(
                    *(fastmux.connect("127.0.0.1", group.port, tls=fastmux.PLAINTEXT) for _ in range(20))
                )
                connections += opened
                workers += [await worker_of(conn) for conn in opened]
            assert all(await asyncio.gather(*(is_alive(conn) for conn in connections)))
            counts = Counter(workers)
            mean = 200 / count
            chi_square = sum((counts[index] - mean) ** 2 / mean for index in range(count))
            assert chi_square < 31  # 3 degrees of freedom or fewer: one run in 10^6 is above it
            counters = await group.counters()
            assert [each["accepted"] for each in counters] == [counts[index] for index in range(count)]
            assert sum(each["stray"] for each in counters) == 0
            abort(connections)
            await group.stop()

    run(main())


def test_a_client_whose_address_changes_stays_with_its_worker(
    credentials: Path, client_tls: fastmux.TLSConfig
) -> None:
    """Eight clients change their ports three times each: by a hash of addresses all of them would be lost."""

    async def main() -> None:
        async with Workers(3, credentials) as group:
            with ExitStack() as stack:
                relays = [stack.enter_context(MovingRelay(group.port)) for _ in range(8)]
                connections = [
                    await fastmux.connect("127.0.0.1", relay.port, tls=client_tls) for relay in relays
                ]
                for conn in connections:
                    await worker_of(conn)
                for _ in range(3):
                    for relay in relays:
                        relay.move()
                    for conn in connections:
                        assert await is_alive(conn, 50_000)
                counters = await group.counters()
                assert sum(each["accepted"] for each in counters) == 8
                assert sum(each["stray"] for each in counters) == 0
                abort(connections)
                await group.stop()

    run(main())


def test_a_worker_that_dies_costs_its_own_connections_only_and_is_replaced() -> None:
    async def main() -> None:
        async with Workers(3) as group:
            connections: dict[int, list[fastmux.Connection]] = {0: [], 1: [], 2: []}
            for _ in range(60):
                conn = await fastmux.connect("127.0.0.1", group.port, tls=fastmux.PLAINTEXT)
                connections[await worker_of(conn)].append(conn)
            assert all(connections.values())
            others = connections[0] + connections[2]

            group.kill(1)
            assert all([await is_alive(conn) for conn in others])

            # new clients, while it is away: those that are its own wait in its socket
            async def open_one() -> fastmux.Connection:
                return await fastmux.connect("127.0.0.1", group.port, tls=fastmux.PLAINTEXT, open_timeout=40)

            opening = [asyncio.create_task(open_one()) for _ in range(40)]
            await asyncio.wait(opening, return_when=asyncio.FIRST_COMPLETED)
            await group.start(1)
            newcomers = list(await asyncio.gather(*opening))
            served = Counter([await worker_of(conn) for conn in newcomers])
            assert set(served) == {0, 1, 2}
            assert all([await is_alive(conn) for conn in newcomers + others])

            counters = await group.counters()
            assert counters[1]["accepted"] == served[1]
            abort(newcomers + others + connections[1])
            await group.stop()

    run(main())
