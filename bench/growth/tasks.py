"""asyncio: readers woken by one batch, and tasks that stop waiting.

Owns: these dimensions. May not know: how cost is fitted or shown.
"""

from __future__ import annotations

import asyncio
from typing import Final

import fastmux
from bench.growth.fit import DECADES, Dimension, Goal, Probe, Stopwatch
from fastmux.aio.waiters import WaiterQueue


async def _wake_readers(count: int, rounds: int) -> float:
    """CPU nanoseconds a message, over a real loopback socket, both ends in this loop."""
    accepted: list[fastmux.Stream] = []
    done = asyncio.Event()

    async def handler(connection: fastmux.Connection) -> None:
        async for channel in connection:
            assert isinstance(channel, fastmux.Stream)
            accepted.append(channel)
            if len(accepted) == count:
                done.set()
        await connection.wait_closed()

    async with (
        fastmux.listen(handler, "127.0.0.1", 0, tls=fastmux.PLAINTEXT, max_streams=count + 1) as server,
        fastmux.connect("127.0.0.1", server.port, tls=fastmux.PLAINTEXT) as connection,
    ):
        streams = [await connection.open_stream() for _ in range(count)]
        await done.wait()
        watch = Stopwatch()
        for _ in range(rounds):
            readers = [asyncio.create_task(stream.receive()) for stream in accepted]
            await asyncio.sleep(0)
            with watch:
                for stream in streams:
                    await stream.send(b"0123456789")
                await asyncio.gather(*readers)
        connection.abort()
    return watch.total / count / rounds


def readers_woken(count: int) -> Probe:
    """Sending to, waking and reading each of `count` tasks that wait on a channel of their own."""
    return lambda: asyncio.run(_wake_readers(count, max(1, 300 // count)))


async def _leave(count: int) -> float:
    queue = WaiterQueue(asyncio.get_running_loop())
    places = [queue.join() for _ in range(count)]
    with Stopwatch() as watch:
        for place in reversed(places):
            queue.leave(place)
    return watch.total / count


def tasks_cancelled(count: int) -> Probe:
    """One of `count` tasks that wait in line gives up its place, the last first."""
    return lambda: asyncio.run(_leave(count))


DIMENSIONS: Final = (
    Dimension("readers woken", "ns a reader", DECADES[1:5], readers_woken, Goal(ratio=1.3)),
    Dimension("waiting tasks cancelled", "ns a task", DECADES[2:], tasks_cancelled, Goal(1.3, 0.05)),
)
