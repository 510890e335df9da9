"""The connection for programs written on anyio.

Owns: anyio's kinds of streams, checkpoints. May not know: anything below `fastmux.Connection`; which loop
runs.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio
import anyio.abc
import anyio.lowlevel

from fastmux import constants as c
from fastmux.aio.connection import CLOSE_TIMEOUT
from fastmux.aio.connection import Connection as Inner
from fastmux.aio.stream import Stream
from fastmux.anyio.byte_stream import ByteStream
from fastmux.anyio.connectable import Connectable
from fastmux.anyio.errors import of_connection
from fastmux.anyio.listener import Listener
from fastmux.anyio.object_stream import UnreliableObjectStream, object_stream_of
from fastmux.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Connection(anyio.abc.AsyncResource):
    """One authenticated connection. Made by `connect`, and for the handler of `listen`.

    Methods are those of `fastmux.Connection`; they raise anyio's `ClosedResourceError` and
    `BusyResourceError`, and `ConnectionClosed` when the connection is over. `async with` closes it:
    gracefully after a clean block, at once after an error. What is not here is at `inner`.
    """

    def __init__(self, connection: Inner) -> None:
        self._inner = connection

    def __repr__(self) -> str:
        return f"<anyio {self._inner!r}>"

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        """Close gracefully after a clean block, at once after an error."""
        if exc_type is None:
            await self.aclose()
        else:
            self.abort()

    @property
    def inner(self) -> Inner:
        """The connection under it."""
        return self._inner

    async def open_stream(self, label: str = "", *, priority: int = 0) -> ByteStream:
        """Open a stream; waits while the peer's limit of streams is reached."""
        await anyio.lowlevel.checkpoint()
        with of_connection():
            return ByteStream(await self._inner.open_stream(label, priority=priority))

    async def open_message_channel(
        self,
        label: str = "",
        *,
        priority: int = 0,
        ordered: bool = True,
        reliable: bool = True,
        max_retransmits: int | None = None,
        lifetime: float | None = None,
    ) -> UnreliableObjectStream:
        """Open a message channel: an `ObjectStream` if it is ordered and reliable, which is the default."""
        await anyio.lowlevel.checkpoint()
        with of_connection():
            channel = await self._inner.open_message_channel(
                label,
                priority=priority,
                ordered=ordered,
                reliable=reliable,
                max_retransmits=max_retransmits,
                lifetime=lifetime,
            )
        return object_stream_of(channel)

    async def accept(self) -> ByteStream | UnreliableObjectStream:
        """Take the next channel that the peer opened."""
        await anyio.lowlevel.checkpoint()
        with of_connection():
            channel = await self._inner.accept()
        return ByteStream(channel) if isinstance(channel, Stream) else object_stream_of(channel)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ByteStream | UnreliableObjectStream:
        """The next incoming channel; the iteration ends when the connection ends without an error."""
        try:
            return await self.accept()
        except anyio.ClosedResourceError:
            raise StopAsyncIteration from None
        except ConnectionClosed as error:
            if error.code == c.NO_ERROR:
                raise StopAsyncIteration from None
            raise

    def listener(self) -> Listener:
        """The peer's streams as an anyio listener."""
        return Listener(self._inner)

    def connectable(
        self, host: str | None = None, port: int | None = None, *, label: str | None = None
    ) -> Connectable:
        """A place behind this connection, or a label, as an anyio connectable."""
        return Connectable(self._inner, host, port, label=label)

    def send_datagram(self, data: Buffer) -> bool:
        """Send one unreliable datagram. False if it was dropped at once because too many wait."""
        with of_connection():
            return self._inner.send_datagram(data)

    async def receive_datagram(self) -> bytes:
        """Receive the next datagram; while nobody does, only the newest are kept."""
        await anyio.lowlevel.checkpoint()
        with of_connection():
            return await self._inner.receive_datagram()

    async def migrate(self, local_address: tuple[str, int] | None = None) -> None:
        """Go on by a new socket, bound to `local_address` (None: any), without a break. For a client's end.

        Raises as `fastmux.Connection.migrate`.
        """
        await anyio.lowlevel.checkpoint()
        with of_connection():
            await self._inner.migrate(local_address)

    async def ping(self) -> float:
        """Measure a round trip to the peer and back, in seconds."""
        await anyio.lowlevel.checkpoint()
        with of_connection():
            return await self._inner.ping()

    def close(self, code: int = 0, reason: str = "") -> None:
        """Begin a graceful close and return; after 10 seconds without success the connection is aborted."""
        self._inner.close(code, reason)

    async def aclose(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Deliver everything that was accepted for sending, then close; at once when cancelled."""
        try:
            await self._inner.aclose(timeout)
        finally:
            await anyio.lowlevel.checkpoint()

    async def wait_closed(self) -> None:
        """Wait until the connection is over, for whatever reason."""
        await anyio.lowlevel.checkpoint()
        await self._inner.wait_closed()

    def abort(self, code: int = c.CANCELLED, reason: str = "") -> None:
        """Close at once: what is unsent or unread is lost."""
        self._inner.abort(code, reason)
