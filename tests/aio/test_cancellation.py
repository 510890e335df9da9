"""Every operation, cancelled at every turn of the loop, loses nothing and repeats nothing.

Each scene is played once undisturbed, which tells how many turns of the event loop it takes, and then once
for each of these turns: the operation that is under way in that turn is cancelled, and begun again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import pytest

from aio.pair import Pair, pair
from aio.virtual_loop import VirtualLoop
from fastmux.aio.settings import Settings
from fastmux.aio.stream import Stream
from fastmux.exceptions import EndOfStream

T = TypeVar("T")

PIECES = [bytes([number]) * (400 * (number + 1)) for number in range(6)]
SMALL: Settings = {
    "write_limit": 1500,
    "channel_window": 2048,
    "connection_window": 4096,
    "max_streams": 2,
    "max_message_channels": 2,
}


class Canceller:
    """Runs operations, and cancels the one that is under way in a certain turn of the loop."""

    def __init__(self, loop: VirtualLoop, turn: int | None) -> None:
        self.first_turn = loop.turns
        self.cancelled = 0
        self._turn = turn
        self._victim: asyncio.Task[Any] | None = None
        loop.on_turn(self._on_turn)

    def _on_turn(self, turn: int) -> None:
        if turn - self.first_turn == self._turn and self._victim is not None:
            self._victim.cancel()

    async def patiently(self, operation: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do the operation; if it was cancelled, do it again."""
        while True:
            task = asyncio.create_task(operation())
            self._victim = task
            try:
                return await task
            except asyncio.CancelledError:
                self.cancelled += 1
            finally:
                self._victim = None


Scene = Callable[[Pair, Canceller], Awaitable[None]]


async def play(scene: Scene, turn: int | None) -> tuple[int, int]:
    """Play a scene; returns how many turns it took and how many operations were cancelled."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with pair(**SMALL) as ends:
        canceller = Canceller(loop, turn)
        await scene(ends, canceller)
        loop.on_turn(None)
        return loop.turns - canceller.first_turn, canceller.cancelled


async def read_all(stream: Stream) -> bytes:
    return b"".join([chunk async for chunk in stream])


async def receive_from_a_stream(ends: Pair, canceller: Canceller) -> None:
    mine, theirs = await ends.stream()

    async def send() -> None:
        for piece in PIECES:
            await mine.send(piece)
            await asyncio.sleep(0.003)
        await mine.aclose()

    sender = asyncio.create_task(send())
    received = b""
    buffer = bytearray(300)
    try:
        while True:
            received += await canceller.patiently(lambda: theirs.receive(700))
            size = await canceller.patiently(lambda: theirs.receive_into(buffer))
            received += buffer[:size]
    except EndOfStream:
        assert received == b"".join(PIECES)
    await sender
    await theirs.aclose()


async def send_on_a_stream(ends: Pair, canceller: Canceller) -> None:
    mine, theirs = await ends.stream()
    reader = asyncio.create_task(read_all(theirs))
    for piece in PIECES:
        await canceller.patiently(partial(mine.send, piece))
    await canceller.patiently(mine.send_eof)
    await canceller.patiently(mine.wait_delivered)
    assert await reader == b"".join(PIECES)
    await mine.aclose()
    await theirs.aclose()


async def receive_messages(ends: Pair, canceller: Canceller) -> None:
    mine, theirs = await ends.message_channel()

    async def send() -> None:
        for piece in PIECES:
            await mine.send(piece)
            await asyncio.sleep(0.002)
        await mine.aclose()

    sender = asyncio.create_task(send())
    received = []
    try:
        while True:
            received.append(await canceller.patiently(theirs.receive))
            received += await canceller.patiently(lambda: theirs.receive_many(2))
    except EndOfStream:
        assert received == PIECES
    await sender
    await theirs.aclose()


async def send_messages(ends: Pair, canceller: Canceller) -> None:
    mine, theirs = await ends.message_channel()

    async def read() -> list[bytes]:
        return [message async for message in theirs]

    reader = asyncio.create_task(read())
    waiting = PIECES * 2
    await canceller.patiently(lambda: mine.send(waiting[0]))
    waiting = waiting[1:]
    while waiting:
        taken = await canceller.patiently(partial(mine.send_many, waiting))
        waiting = waiting[taken:]
    await canceller.patiently(mine.send_eof)
    assert await reader == PIECES * 2
    await mine.aclose()
    await theirs.aclose()


async def accept_channels(ends: Pair, canceller: Canceller) -> None:
    async def open_all() -> None:
        for number in range(4):
            async with await ends.client.open_stream(str(number)):
                await asyncio.sleep(0.002)

    opener = asyncio.create_task(open_all())
    labels = []
    for _ in range(4):
        channel = await canceller.patiently(ends.server.accept)
        labels.append(channel.label)
        await channel.aclose()
    assert labels == ["0", "1", "2", "3"]
    await opener


async def open_channels_at_the_limit(ends: Pair, canceller: Canceller) -> None:
    labels = []

    async def accept_all() -> None:
        async for channel in ends.server:
            labels.append(channel.label)
            await channel.aclose()

    acceptor = asyncio.create_task(accept_all())
    for number in range(6):
        stream = await canceller.patiently(partial(ends.client.open_stream, str(number)))
        await stream.aclose()
    await asyncio.sleep(1)
    assert labels == ["0", "1", "2", "3", "4", "5"]
    ends.server.abort()
    await acceptor


async def receive_datagrams_and_ping(ends: Pair, canceller: Canceller) -> None:
    async def send() -> None:
        for piece in PIECES:
            assert ends.client.send_datagram(piece[:500])
            await asyncio.sleep(0.002)

    sender = asyncio.create_task(send())
    for piece in PIECES:
        assert await canceller.patiently(ends.server.receive_datagram) == piece[:500]
    await sender
    assert await canceller.patiently(ends.client.ping) == pytest.approx(0.01)


SCENES: list[Scene] = [
    receive_from_a_stream,
    send_on_a_stream,
    receive_messages,
    send_messages,
    accept_channels,
    open_channels_at_the_limit,
    receive_datagrams_and_ping,
]


def run(scene: Scene, turn: int | None) -> tuple[int, int]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play(scene, turn))


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_cancelled_at_any_turn_nothing_is_lost_and_nothing_repeated(scene: Scene) -> None:
    turns, cancelled = run(scene, None)
    assert cancelled == 0
    hits = sum(run(scene, turn)[1] for turn in range(1, turns + 1))
    assert hits >= turns // 4  # something was under way in many of them
