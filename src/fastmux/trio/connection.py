"""The connection with trio's interface.

Owns: trio's kinds of channels, a task for each, checkpoints. May not know: anything below
`fastmux.Connection`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

import trio

from fastmux import constants as c
from fastmux.aio.connection import CLOSE_TIMEOUT
from fastmux.aio.connection import Connection as Inner
from fastmux.aio.stream import Stream as InnerStream
from fastmux.exceptions import ConnectionClosed
from fastmux.protocol.handshake import PeerIdentity
from fastmux.protocol.statistics import ConnectionStatistics
from fastmux.trio.errors import is_end, of_connection
from fastmux.trio.listener import Listener
from fastmux.trio.message_channel import MessageChannel
from fastmux.trio.stream import Stream

if TYPE_CHECKING:
    from typing_extensions import Buffer

logger = logging.getLogger("fastmux.connection")

AnyChannel: TypeAlias = Stream | MessageChannel


class Connection(trio.abc.AsyncResource):
    """One authenticated connection. Made by `connect`, and for the handler of `listen`.

    Methods are those of `fastmux.Connection`; they raise trio's `ClosedResourceError` and
    `BusyResourceError`, and `ConnectionClosed` when the connection is over. `async with` closes it:
    gracefully after a clean block, at once after an error.
    """

    __slots__ = ("_inner",)

    def __init__(self, connection: Inner) -> None:
        self._inner = connection

    def __repr__(self) -> str:
        return f"<trio {self._inner!r}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
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

    # --- channels -----------------------------------------------------------------------------------

    async def open_stream(self, label: str = "", *, priority: int = 0) -> Stream:
        """Open a stream; waits while the peer's limit of streams is reached."""
        await trio.lowlevel.checkpoint()
        with of_connection():
            return Stream(await self._inner.open_stream(label, priority=priority))

    async def open_message_channel(
        self,
        label: str = "",
        *,
        priority: int = 0,
        ordered: bool = True,
        reliable: bool = True,
        max_retransmits: int | None = None,
        lifetime: float | None = None,
    ) -> MessageChannel:
        """Open a message channel; waits while the peer's limit of message channels is reached."""
        await trio.lowlevel.checkpoint()
        with of_connection():
            channel = await self._inner.open_message_channel(
                label,
                priority=priority,
                ordered=ordered,
                reliable=reliable,
                max_retransmits=max_retransmits,
                lifetime=lifetime,
            )
        return MessageChannel(channel)

    async def accept(self) -> AnyChannel:
        """Take the next channel that the peer opened."""
        await trio.lowlevel.checkpoint()
        with of_connection():
            channel = await self._inner.accept()
        return Stream(channel) if isinstance(channel, InnerStream) else MessageChannel(channel)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AnyChannel:
        """The next incoming channel; the iteration ends when the connection ends without an error."""
        try:
            return await self.accept()
        except trio.ClosedResourceError:
            raise StopAsyncIteration from None
        except ConnectionClosed as error:
            if error.code == c.NO_ERROR:
                raise StopAsyncIteration from None
            raise

    def listener(self) -> Listener:
        """The peer's streams as a trio listener, for `trio.serve_listeners`."""
        return Listener(self._inner)

    async def serve(self, handler: Callable[[AnyChannel], Awaitable[object]]) -> None:
        """Run `handler(channel)` in a task for each incoming channel, until the connection ends.

        When a handler returns, its channel is closed; when it raises, the error is logged and its channel
        reset with code INTERNAL. Returns when the connection ended without an error and every handler has
        ended; raises `ConnectionClosed` if it ended with one.
        """
        error: ConnectionClosed | None = None
        async with trio.open_nursery() as nursery:
            try:
                async for channel in self:
                    nursery.start_soon(_handle, handler, channel)
            except ConnectionClosed as closed:  # outside of the nursery, which would wrap it
                error = closed
        if error is not None:
            raise error

    # --- datagrams and pings --------------------------------------------------------------------------

    def send_datagram(self, data: Buffer) -> bool:
        """Send one unreliable datagram. False if it was dropped at once because too many wait."""
        with of_connection():
            return self._inner.send_datagram(data)

    async def receive_datagram(self) -> bytes:
        """Receive the next datagram; while nobody does, only the newest are kept."""
        await trio.lowlevel.checkpoint()
        with of_connection():
            return await self._inner.receive_datagram()

    async def migrate(self, local_address: tuple[str, int] | None = None) -> None:
        """Go on by a new socket, bound to `local_address` (None: any), without a break. For a client's end.

        Raises as `fastmux.Connection.migrate`.
        """
        await trio.lowlevel.checkpoint()
        with of_connection():
            await self._inner.migrate(local_address)

    async def ping(self) -> float:
        """Measure a round trip to the peer and back, in seconds."""
        await trio.lowlevel.checkpoint()
        with of_connection():
            return await self._inner.ping()

    # --- about it -----------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """True once the connection is over for this end."""
        return self._inner.is_closed

    @property
    def id(self) -> str:
        """A name for logs, in hexadecimal digits: the same on both ends, unpredictable, no secret."""
        return self._inner.id

    @property
    def peer(self) -> PeerIdentity:
        """Who the peer proved to be; its fields are empty for PLAINTEXT."""
        return self._inner.peer

    @property
    def stats(self) -> ConnectionStatistics:
        """Figures of now, or of the end."""
        return self._inner.stats

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Facts by name, as `fastmux.Connection.get_extra_info`."""
        return self._inner.get_extra_info(name, default)

    # --- ends ---------------------------------------------------------------------------------------

    def close(self, code: int = 0, reason: str = "") -> None:
        """Begin a graceful close and return; after 10 seconds without success the connection is aborted."""
        self._inner.close(code, reason)

    async def aclose(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Deliver everything that was accepted for sending, then close; at once when cancelled."""
        try:
            await self._inner.aclose(timeout)
        finally:
            await trio.lowlevel.checkpoint()

    async def wait_closed(self) -> None:
        """Wait until the connection is over, for whatever reason."""
        await trio.lowlevel.checkpoint()
        await self._inner.wait_closed()

    def abort(self, code: int = c.CANCELLED, reason: str = "") -> None:
        """Close at once: what is unsent or unread is lost."""
        self._inner.abort(code, reason)


async def _handle(handler: Callable[[AnyChannel], Awaitable[object]], channel: AnyChannel) -> None:
    """Run a handler, and end its channel as it ended."""
    try:
        await handler(channel)
    except Exception as error:
        if is_end(error):  # the connection or the channel ended: its handler did no wrong
            logger.debug("the handler of %r ended with %r", channel, error)
            channel.reset(c.CANCELLED)
        else:
            logger.exception("the handler of %r failed; the channel is reset", channel)
            channel.reset(c.INTERNAL)
    except BaseException:
        channel.reset(c.CANCELLED)
        raise
    else:
        await channel.aclose()
