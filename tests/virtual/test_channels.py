"""What one channel, one direction or one end does is no fault of the others (F40, F45, F46)."""

from __future__ import annotations

import asyncio

import pytest

from fastmux import Connection, Stream
from fastmux.exceptions import EndOfStream
from virtual.transfers import USUAL, Scene, answer_with_hash, content, serve_hashes, upload
from virtual.world import World

ACTIVE = 99
EACH = 10_000  # bytes of each active channel


async def hash_all_but_the_first(connection: Connection) -> None:
    """The first channel is accepted and never read."""
    first = await connection.accept()
    assert isinstance(first, Stream)
    try:
        await connection.serve(answer_with_hash)
    finally:
        first.reset()


async def _send_for_ever(stream: Stream) -> None:
    while True:
        await stream.send(bytes(65536))


def time_of_the_active(with_a_stalled_one: bool) -> tuple[float, int]:
    """How long the active channels take, and what the receiver holds unread then."""
    with World(1, USUAL) as world:
        scene = Scene(world, handler=hash_all_but_the_first if with_a_stalled_one else serve_hashes)
        connection = scene.open()
        stalled = None
        if with_a_stalled_one:
            stream = world.run(scene.near, connection.open_stream())
            stalled = world.start(scene.near, _send_for_ever(stream))
            world.run_for(2.0)
            assert not stalled.done()
        (far,) = scene.server.connections
        began_at = world.now

        async def all_at_once() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(ACTIVE):
                    group.create_task(upload(connection, content(EACH, number)))

        world.run(scene.near, all_at_once(), timeout=600.0)
        seconds, held = world.now - began_at, far.stats.held_size
        if stalled is not None:
            assert world.run(scene.near, connection.ping()) < 1.0
            stream.reset()
            world.run_until(stalled.done, timeout=10.0)
            assert stalled.exception() is not None
        connection.abort()
        world.run_for(5.0)
        assert world.reports() == []
        return seconds, held


def test_a_channel_that_nobody_reads_costs_the_others_nothing() -> None:
    alone, _ = time_of_the_active(False)
    beside, held = time_of_the_active(True)
    assert beside <= alone / 0.95
    assert 0 < held <= 64 * 1024 + 16 * 1024  # its window, and the blocks that hold it


def test_the_idle_half_of_a_stream_still_works_after_an_hour() -> None:
    async def count_then_answer(connection: Connection) -> None:
        async with await connection.accept() as stream:
            assert isinstance(stream, Stream)
            size = sum([len(chunk) async for chunk in stream])
            await asyncio.sleep(3600.0)
            await stream.send(str(size).encode())
        await connection.wait_closed()

    with World(1, USUAL) as world:
        scene = Scene(world, handler=count_then_answer)
        connection = scene.open()

        async def half() -> bytes:
            async with await connection.open_stream() as stream:
                await stream.send(bytes(5000))
                await stream.send_eof()
                return b"".join([chunk async for chunk in stream])

        assert world.run(scene.near, half(), timeout=4000.0) == b"5000"
        scene.close(connection)


def test_the_other_half_too_where_the_writer_waits_an_hour() -> None:
    with World(1, USUAL) as world:
        scene = Scene(world, handler=_answer_first)
        connection = scene.open()

        async def half() -> bytes:
            async with await connection.open_stream() as stream:
                answer = await stream.receive()
                with pytest.raises(EndOfStream):
                    await stream.receive()
                await asyncio.sleep(3600.0)
                await stream.send(b"late")
                await stream.send_eof()
                return answer

        assert world.run(scene.near, half(), timeout=4000.0) == b"first"
        scene.close(connection)


async def _answer_first(connection: Connection) -> None:
    async with await connection.accept() as stream:
        assert isinstance(stream, Stream)
        await stream.send(b"first")
        await stream.send_eof()
        assert b"".join([chunk async for chunk in stream]) == b"late"
    await connection.wait_closed()
