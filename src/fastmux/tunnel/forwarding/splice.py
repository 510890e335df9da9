"""Joins a stream of the tunnel with a local socket: bytes, ends, resets and back-pressure, both ways.

Owns: what becomes of either side when something happens to the other. May not know: where the socket comes
from, who asked for it, how it is read.

At most one chunk is held in each direction: a socket is read again when the stream has taken what came
before, and the stream when the socket has. A direction that ends cleanly is ended cleanly on the other side;
everything else resets both sides, so that what was cut short never looks whole.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from fastmux import constants as c
from fastmux.exceptions import (
    BrokenResourceError,
    ChannelReset,
    ClosedResourceError,
    ConnectionClosed,
    EndOfStream,
)
from fastmux.tunnel.constants import HALF_CLOSED_CHECK_INTERVAL
from fastmux.tunnel.forwarding.counters import CLOSED, ChannelRecord
from fastmux.tunnel.forwarding.rate import RateLimit, chunk_size_of, take_all
from fastmux.tunnel.forwarding.socket_end import socket_end

if TYPE_CHECKING:
    from fastmux.aio.stream import Stream

FAR_RESET: Final = "reset by the far end"
LOST: Final = "connection lost"
CLOSED_HERE: Final = "connection closed here"


class ByteEnd(Protocol):
    """What can be joined with a stream: `SocketEnd`, or standard input and output. OSError: it is broken."""

    async def receive(self, max_bytes: int) -> bytes:
        """The next bytes, b"" at the end."""
        ...

    async def send(self, data: bytes) -> None:
        """Take all of `data`; wait while there is no room."""
        ...

    async def send_eof(self) -> None:
        """End the sending direction."""
        ...

    def check(self) -> None:
        """Raise OSError if it broke while nobody received or sent."""
        ...

    def close(self) -> None:
        """Both directions have ended."""
        ...

    def reset(self) -> None:
        """Give it up so that nobody behind it takes this for a clean end."""
        ...


async def splice(
    stream: Stream,
    sock: socket.socket | ByteEnd,
    record: ChannelRecord,
    limits: Sequence[RateLimit] = (),
    *,
    early: bytes = b"",
) -> str:
    """Carry bytes both ways until both directions have ended, or one side broke; takes both over.

    `early` goes to the stream before what the socket has to say. Counts into `record`, which the caller
    opened and closes, and waits for `limits`. Returns the outcome: "closed" once everything is delivered,
    else a sentence on what broke. Cancelled, it resets both sides.
    """
    end: ByteEnd = socket_end(sock) if isinstance(sock, socket.socket) else sock
    joint = _Joint(stream, end, record, limits)
    try:
        outcome = await joint.run(early)
    except BaseException:
        joint.reset()
        raise
    if outcome == CLOSED:
        await stream.aclose()
    else:
        joint.reset()
    return outcome


def outcome_of(error: BaseException) -> str:
    """A sentence for the log on what ended a channel early."""
    match error:
        case ChannelReset() | BrokenResourceError():
            return FAR_RESET
        case ConnectionClosed():
            return f"{LOST}: {error}"
        case ClosedResourceError():
            return CLOSED_HERE
        case OSError(errno=int(number)):
            return f"socket broken: {os.strerror(number)}"
    return f"failed: {error}"


class _Joint:
    """One splice while it runs."""

    def __init__(
        self, stream: Stream, end: ByteEnd, record: ChannelRecord, limits: Sequence[RateLimit]
    ) -> None:
        self._stream = stream
        self._end = end
        self._record = record
        self._limits = limits
        self._chunk_size = chunk_size_of(limits)

    def reset(self) -> None:
        """Give both sides up."""
        self._stream.reset(c.CANCELLED)
        self._end.reset()

    async def run(self, early: bytes) -> str:
        """Carry both ways; returns the outcome. When it returns or raises no task of it is left."""
        outward = asyncio.create_task(self._outward(early))
        inward = asyncio.create_task(self._inward())
        tasks = {outward, inward}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if len(done) == 1:
                watch = self._watch_stream() if inward in done else self._watch_end()
                await self._finish(tasks - done, watch)
            self._end.close()
            await self._delivered()
        except (OSError, BrokenResourceError, ClosedResourceError) as error:
            return outcome_of(error)
        finally:
            await _cancel(tasks)
        return CLOSED

    async def _delivered(self) -> None:
        """Wait until the far end has everything; one that then closed the connection in good order had it."""
        try:
            await self._stream.wait_delivered()
        except ConnectionClosed as error:
            if not (error.remote and error.code == c.NO_ERROR):
                raise

    async def _finish(self, rest: set[asyncio.Task[None]], watch: Coroutine[Any, Any, None]) -> None:
        """Wait for the direction that is left, while somebody watches the other one's far side."""
        watcher = asyncio.create_task(watch)
        try:
            done, _ = await asyncio.wait({*rest, watcher}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _cancel({watcher})

    # both directions

    async def _outward(self, data: bytes) -> None:
        """From the socket to the stream."""
        stream, end, limits, size = self._stream, self._end, self._limits, self._chunk_size
        if not data:
            data = await end.receive(size)
        while data:
            if limits:
                await take_all(limits, len(data))
            await stream.send(data)
            self._record.sent_size += len(data)
            await asyncio.sleep(0)  # neither side may have had to wait, and others want their turn
            data = await end.receive(size)
        await stream.send_eof()

    async def _inward(self) -> None:
        """From the stream to the socket."""
        stream, end, limits, size = self._stream, self._end, self._limits, self._chunk_size
        while True:
            try:
                data = await stream.receive(size)
            except EndOfStream:
                break
            if limits:
                await take_all(limits, len(data))
            await end.send(data)
            self._record.received_size += len(data)
            await asyncio.sleep(0)
        await end.send_eof()

    # What nobody reads or writes any more tells nothing by itself.

    async def _watch_stream(self) -> None:
        """Raise when the far end gives up what this end still sends, or the connection is over."""
        await self._stream.wait_stopped()
        raise BrokenResourceError("the far end takes no more")

    async def _watch_end(self) -> None:
        """Raise when the socket breaks, though nothing is read of it any more."""
        while True:
            await asyncio.sleep(HALF_CLOSED_CHECK_INTERVAL)
            self._end.check()


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    """End tasks and wait for that; none of their errors matters any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
