"""Frames arrive as they were sent, without copies that need not be; what cannot be a message is refused."""

from __future__ import annotations

import asyncio
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from aio.pair import pair
from aio.virtual_loop import settle, virtual
from fastmux import EndOfStream, Stream
from fastmux.dask.constants import JOINED_SIZE, MAPPED_SIZE, MAX_FRAMES, PIECE_SIZE
from fastmux.dask.frames import FrameError, read_frames, write_frames

MESSAGES: dict[str, list[Any]] = {
    "nothing": [],
    "one empty frame": [b""],
    "small frames": [b"abc", bytearray(b"de"), memoryview(b"xfghx")[1:4], b""],
    "a frame for itself": [b"head", b"x" * (JOINED_SIZE + 1), b"tail"],
    "large buffers": [b"head", bytearray(b"y" * (MAPPED_SIZE + 7)), b"z" * (2 * PIECE_SIZE), b"", b"end"],
    "many": [bytes([n % 256]) * n for n in range(1000)],
}


def talk(first: Callable[[Stream], Any], second: Callable[[Stream], Any]) -> tuple[Any, Any]:
    """Run two coroutines, each at one end of a stream."""

    results: list[Any] = []

    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            results.extend(await asyncio.gather(first(mine), second(theirs)))
            await mine.aclose()
            await theirs.aclose()

    virtual(main)()
    return results[0], results[1]


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_arrives_as_it_was_sent(name: str) -> None:
    frames = MESSAGES[name]
    size, received = talk(lambda mine: write_frames(mine, frames), read_frames)
    assert [frame.tobytes() for frame in received] == [bytes(frame) for frame in frames]
    assert size == 4 + 8 * len(frames) + sum(len(frame) for frame in frames)
    assert all(not frame.readonly for frame in received if frame.nbytes)


def test_a_large_frame_has_memory_of_its_own() -> None:
    frames = [b"a" * JOINED_SIZE, b"b" * JOINED_SIZE]
    _, received = talk(lambda mine: write_frames(mine, frames), read_frames)
    assert received[0].obj is not received[1].obj


def test_a_frame_that_is_not_contiguous_arrives_too() -> None:
    spread = numpy.arange(100_000, dtype="u4")[::2]
    _, received = talk(lambda mine: write_frames(mine, [spread.data]), read_frames)
    assert received[0].tobytes() == spread.tobytes()


def test_bytes_are_sent_without_a_copy() -> None:
    frame = b"x" * (8 * 2**20)
    peaks: list[int] = []

    async def write(stream: Stream) -> None:
        tracemalloc.start()
        await write_frames(stream, [frame])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        stream.reset()

    async def ignore(stream: Stream) -> None:
        """Its window stays as it is."""

    talk(write, ignore)
    assert peaks[0] < len(frame) / 2


def test_the_end_between_two_messages_is_the_end() -> None:
    async def end(stream: Stream) -> None:
        await write_frames(stream, [b"last"])
        await stream.send_eof()

    async def read(stream: Stream) -> None:
        assert await read_frames(stream) == [b"last"]
        with pytest.raises(EndOfStream):
            await read_frames(stream)

    talk(end, read)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x01",
        struct.pack("<I", 1),
        struct.pack("<IQ", 1, 5) + b"four",
        struct.pack("<IQQ", 2, JOINED_SIZE, 1) + b"x",
        struct.pack("<I", MAX_FRAMES + 1),
        struct.pack("<I", 2**32 - 1),
    ],
)
def test_what_is_cut_short_or_too_long_is_refused(sent: bytes) -> None:
    async def send(stream: Stream) -> None:
        await stream.send(sent)
        await stream.send_eof()

    async def read(stream: Stream) -> None:
        with pytest.raises(FrameError):
            await read_frames(stream)

    talk(send, read)


@pytest.mark.parametrize("size", [2**62, 2**64 - 1])
def test_a_size_that_no_memory_has_is_a_memory_error(size: int) -> None:
    async def send(stream: Stream) -> None:
        await stream.send(struct.pack("<IQ", 1, size))

    async def read(stream: Stream) -> None:
        with pytest.raises(MemoryError):
            await read_frames(stream)

    talk(send, read)


def test_an_announced_size_takes_no_memory_before_its_bytes_come() -> None:
    """Guards the pages of a large frame: ten announced gigabytes must not become resident."""
    announced = 10 * 2**30

    async def send(stream: Stream) -> None:
        await stream.send(struct.pack("<IQ", 1, announced) + b"x" * 1000)
        await stream.wait_delivered()

    async def read(stream: Stream) -> None:
        before = resident()
        reading = asyncio.create_task(read_frames(stream))
        await settle()
        assert not reading.done()
        assert resident() - before < 100 * 2**20
        reading.cancel()

    talk(send, read)


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def test_more_frames_than_a_message_may_have_are_refused_where_they_are_sent() -> None:
    async def write(stream: Stream) -> None:
        with pytest.raises(FrameError):
            await write_frames(stream, [b""] * (MAX_FRAMES + 1))
        await write_frames(stream, [b""] * 10_000)  # ten times what a large graph has

    async def read(stream: Stream) -> None:
        assert len(await read_frames(stream)) == 10_000

    talk(write, read)
