"""Dask's frames on a stream: their number (4 bytes), their sizes (8 each), then the frames themselves.

Owns: this wire format (little-endian) and its buffers. May not know: serialization, comms, connections.

Nothing is copied that need not be: exact `bytes`, and views on them, are sent by reference; a buffer that can
change is copied piece by piece while it leaves. What comes is received into the buffer that Dask gets.
"""

from __future__ import annotations

import mmap
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fastmux import EndOfStream, Stream
from fastmux.dask.constants import JOINED_SIZE, MAPPED_SIZE, MAX_FRAMES, PIECE_SIZE

if TYPE_CHECKING:
    from typing_extensions import Buffer

_COUNT = struct.Struct("<I")


class FrameError(ValueError):
    """What came is no message of this format, or ended within one."""


async def write_frames(stream: Stream, frames: Sequence[Buffer]) -> int:
    """Send one message; waits while the peer does not read. Returns its size on the wire.

    Raises as `Stream.send`, and FrameError for more than MAX_FRAMES frames. If it raises, or is cancelled, a
    part may have been sent: then the stream is of no use any more.
    """
    if len(frames) > MAX_FRAMES:
        raise FrameError(f"a message has at most {MAX_FRAMES} frames, not {len(frames)}")
    views = [_octets(frame) for frame in frames]
    head = _COUNT.pack(len(views)) + struct.pack(f"<{len(views)}Q", *(view.nbytes for view in views))
    size = len(head) + sum(view.nbytes for view in views)
    for piece in _pieces(head, views, size):
        await stream.send(piece)
    return size


async def read_frames(stream: Stream) -> list[memoryview]:
    """Receive one message, as writable buffers: a large frame has one of its own.

    Raises `EndOfStream` where the peer ended the stream between two messages, FrameError where it did within
    one or sent what cannot be, MemoryError, and else as `Stream.receive_into`.
    """
    first = memoryview(bytearray(_COUNT.size))
    at = await stream.receive_into(first)
    try:
        await _receive(stream, first[at:])
        (count,) = _COUNT.unpack(first)
        if count > MAX_FRAMES:
            raise FrameError(f"a message of {count} frames; there may be {MAX_FRAMES}")
        told = memoryview(bytearray(8 * count))
        await _receive(stream, told)
        sizes = struct.unpack(f"<{count}Q", told)
        if sum(sizes) <= JOINED_SIZE:
            return await _receive_joined(stream, sizes)
        frames = []
        for size in sizes:
            frame = _allocate(size)
            await _receive(stream, frame)
            frames.append(frame)
        return frames
    except EndOfStream as error:
        raise FrameError("the peer ended the stream within a message") from error


def _pieces(head: bytes, views: list[memoryview], size: int) -> Iterator[Buffer]:
    """The message as what is given to `send`: small frames together, large ones as they are or in pieces."""
    if size <= JOINED_SIZE:
        yield b"".join([head, *views])
        return
    waiting: list[Buffer] = [head]
    waiting_size = len(head)
    for view in views:
        if waiting_size + view.nbytes <= JOINED_SIZE:
            waiting.append(view)
            waiting_size += view.nbytes
            continue
        yield b"".join(waiting)
        waiting, waiting_size = [], 0
        if type(view.obj) is bytes:
            yield view
            continue
        for start in range(0, view.nbytes, PIECE_SIZE):
            yield view[start : start + PIECE_SIZE]
    if waiting:
        yield b"".join(waiting)


def _octets(frame: Buffer) -> memoryview:
    view = memoryview(frame)
    if view.nbytes == 0:
        return memoryview(b"")
    if not view.c_contiguous:
        view = memoryview(view.tobytes())
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


async def _receive_joined(stream: Stream, sizes: Sequence[int]) -> list[memoryview]:
    whole = memoryview(bytearray(sum(sizes)))
    await _receive(stream, whole)
    frames, at = [], 0
    for size in sizes:
        frames.append(whole[at : at + size])
        at += size
    return frames


async def _receive(stream: Stream, target: memoryview) -> None:
    """Fill `target`."""
    at = 0
    while at < target.nbytes:
        at += await stream.receive_into(target[at:])


def _allocate(size: int) -> memoryview:
    """A writable buffer. The pages of a large one are taken as its bytes come, not as they are announced.

    Raises MemoryError for a size that no address space has.
    """
    if size < MAPPED_SIZE:
        return memoryview(bytearray(size))
    try:
        if sys.platform == "win32":
            return memoryview(mmap.mmap(-1, size))
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared ones are never huge
    except (OSError, OverflowError) as error:
        raise MemoryError(f"no room for a frame of {size} bytes") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(pages)
