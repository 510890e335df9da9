"""Streams: ordered bytes, both ways, with half-close.

Owns: the public `Stream`. May not know: anything below the core's `DataPath`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from fastmux.aio.channel import Channel, raise_end
from fastmux.exceptions import EndOfStream

if TYPE_CHECKING:
    import asyncio

    from typing_extensions import Buffer


class Stream(Channel):
    """Ordered, reliable bytes in both directions; anyio's `ByteStream` contract.

    Made by `Connection.open_stream` and `accept`. One task may receive at a time, any number may send: they
    take turns in the order in which they came, and what each gives to `send` stays in one piece. Close it
    with `aclose` or `async with`.
    """

    __slots__ = ()

    async def send(self, data: Buffer) -> None:
        """Send bytes: wait while `write_limit` or more are unsent, then take all of `data` or none.

        `data` is anything contiguous with the buffer protocol. What cannot change is kept by reference: exact
        `bytes`, and read-only views (memoryview, PickleBuffer, numpy array) on at least half of such an
        object. Anything else is copied when it is taken, so it may be changed as soon as this returns.
        Cancelled while it waits, nothing was taken.

        Raises `ClosedResourceError` after `send_eof`, `reset` or `aclose`, `BrokenResourceError` if the peer
        asked to stop, `ConnectionClosed`, TypeError for anything that is not a buffer.
        """
        if self._writers or (self._is_full and not self.has_room()):
            self._check_sending()
            await self._take_turn()
        host = self._host
        if self._is_closed or host.closed_error is not None or host.is_closing:
            self._check_sending()
        self._is_full = host.data_path.write(self._id, data) >= host.write_limit
        host.wrote()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Receive 1 to `max_bytes` bytes, as soon as there are any.

        Raises `EndOfStream` once the peer has ended the stream and everything was received, `ChannelReset` if
        it reset it, `ClosedResourceError` after `aclose` or `reset`, `BusyResourceError` if another task is
        receiving, `ConnectionClosed`, ValueError for `max_bytes` below 1.
        """
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
        self._reader.check()
        host = self._host
        data_path = host.data_path
        while True:
            if self._is_closed or host.is_discarded:
                self._check_receiving()
            data = data_path.read(self._id, max_bytes)
            if data:
                if data_path.has_news:  # the peer's credit may want raising, which is seldom
                    host.schedule()
                return data
            if data is None:
                raise_end()
            if self._is_closed or host.closed_error is not None:
                self._check_open()
            place = self._reader.join()
            try:
                await place
            finally:
                self._reader.leave()

    async def receive_into(self, buffer: Buffer) -> int:
        """Receive into a writable buffer and return how many bytes came, at least 1 and at most its size.

        Raises as `receive`, and ValueError for an empty buffer.
        """
        if memoryview(buffer).nbytes == 0:
            raise ValueError("the buffer is empty")
        self._reader.check()
        host = self._host
        data_path = host.data_path
        while True:
            if self._is_closed or host.is_discarded:
                self._check_receiving()
            size = data_path.read_into(self._id, buffer)
            if size > 0:
                if data_path.has_news:  # the peer's credit may want raising, which is seldom
                    host.schedule()
                return size
            if size < 0:
                raise_end()
            if self._is_closed or host.closed_error is not None:
                self._check_open()
            place = self._reader.join()
            try:
                await place
            finally:
                self._reader.leave()

    def to_asyncio(self, *, limit: int = 65536) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """This stream as asyncio's reader and writer, as `asyncio.open_connection` would give them.

        Use them alone from then on. `limit` (bytes) is that of the reader. `writer.drain()` waits while
        `write_limit` is unsent; a reset raises `ChannelReset` in the reader; close the writer in the end.
        Raises `BusyResourceError` while a task receives or waits to send here, `ClosedResourceError`
        after a close of this end, RuntimeError on another event loop.
        """
        from fastmux.aio.reader_and_writer import reader_and_writer

        return reader_and_writer(self, limit)

    # for adapters, which have waiting of their own

    def write_now(self, data: Buffer) -> int:
        """Take all of `data` at once, whoever waits and however much is unsent; returns the unsent bytes.

        Raises as `send`, but not because the connection is being closed: what was accepted before must go.
        """
        self._check_open()
        unsent = self._host.data_path.write(self._id, data)
        self._wrote(unsent)
        return unsent

    def read_now(self, max_bytes: int) -> bytes | None:
        """What `receive` gives, b"" where it would wait, None at the end. Raises as `receive` otherwise."""
        self._check_receiving()
        data = self._host.data_path.read(self._id, max_bytes)
        if data:
            self._received()
        elif data is not None:
            self._check_open()
        return data

    def read_into_now(self, buffer: Buffer) -> int:
        """What `receive_into` gives, 0 where it would wait, -1 at the end. Raises as it does otherwise."""
        self._check_receiving()
        size = self._host.data_path.read_into(self._id, buffer)
        if size > 0:
            self._received()
        elif size == 0:
            self._check_open()
        return size

    def __aiter__(self) -> Self:
        """Pieces of bytes as `receive` gives them, until the peer ends the stream. Raises as `receive`."""
        return self

    async def __anext__(self) -> bytes:
        """The next bytes; the iteration ends where `receive` raises `EndOfStream`."""
        try:
            return await self.receive()
        except EndOfStream:
            raise StopAsyncIteration from None
