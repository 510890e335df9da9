"""The public connection of this way: the interface of `fastmux.Connection`, each channel over its own port.

Owns: what a user does with it, and the channels that wait for `accept`. May not know: how ports are agreed
on, sockets, keys.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from fastmux import constants as c
from fastmux.aio.connection import CLOSE_TIMEOUT, Connection
from fastmux.aio.errors import renewed
from fastmux.aio.logs import ConnectionLog
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.open_fields import check_priority, encode_label, reliability_of
from fastmux.aio.serving import ChannelHandler
from fastmux.aio.waiters import WaiterQueue
from fastmux.exceptions import ClosedResourceError, ConnectionClosed
from fastmux.portmux.channel import PortMessageChannel, PortStream, channel_over
from fastmux.portmux.exchange import Basis, Exchange
from fastmux.portmux.handshake import KeyedPeer
from fastmux.portmux.incoming import Incoming
from fastmux.portmux.link import PortLink
from fastmux.portmux.messages import Hello
from fastmux.portmux.ports import PortPool, check_dscp
from fastmux.portmux.terms import Terms
from fastmux.protocol.closing import check_close
from fastmux.protocol.handshake import PeerIdentity
from fastmux.protocol.statistics import ConnectionStatistics

if TYPE_CHECKING:
    from typing_extensions import Buffer

AnyPortChannel = PortStream | PortMessageChannel


class PortConnection:
    """One authenticated control connection, and a UDP port for each channel.

    Made by `fastmux.portmux.connect` and for `fastmux.portmux.listen`'s handler. Everything is as with
    `fastmux.Connection`, but for what a port brings with it: opening takes a round trip, for the two ends
    must agree on a port; a channel whose port stops to work ends with `ConnectionClosed` and no other is
    concerned; a port stays in use until both ends have closed its channel. `send_datagram`, `ping`, `stats`
    and `get_extra_info` are about the control connection, `stream.stats` about a channel's port.

    Invariant: a channel of the peer's is in `_incoming` until somebody takes it.
    """

    def __init__(
        self,
        control: Connection,
        channel: MessageChannel,
        *,
        is_client: bool,
        terms: Terms,
        greeting: Hello,
        pool: PortPool,
    ) -> None:
        """`channel` is the control channel, over which both ends have greeted; `greeting` is the peer's."""
        peer = cast(KeyedPeer, control.peer)
        self._control = control
        self._channel = channel
        self._peer = peer.identity
        self._is_closing = False
        self._closed_error: ConnectionError | None = None
        self._exchange = Exchange(
            self, control, channel, Basis(is_client, peer.take_root(), peer.identity, terms, greeting, pool)
        )
        loop = asyncio.get_running_loop()
        self._incoming = Incoming(loop, self, 2 * terms.max_ports)
        self._gone = WaiterQueue(loop)
        self._closing: asyncio.Task[None] | None = None
        self._abort_timer: asyncio.TimerHandle | None = None
        self._task = loop.create_task(self._run(), name="fastmux ports")

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "open"
        return f"<PortConnection {len(self._exchange.links)} ports {state}, control {self._control!r}>"

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
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        error = await self._exchange.run()
        self._end(error or ConnectionClosed())

    # --- channels -----------------------------------------------------------------------------------

    async def open_stream(self, label: str = "", *, priority: int = 0, dscp: int | None = None) -> PortStream:
        """Open a stream; waits while `max_ports` channels of this end are open, and for a round trip.

        `label` and `priority` as for `fastmux.Connection.open_stream`; a priority reaches the peer, but there
        is nothing on the same port that it could go before. `dscp` (0 to 63) marks what this end sends on it.

        Raises OSError if one of the ends has no port left, `ClosedResourceError` after a close of this end,
        `ConnectionClosed`, ValueError for arguments that cannot be. Cancelled, no stream was opened.
        """
        fields = (encode_label(label), check_priority(priority))
        return cast(PortStream, await self._open(c.KIND_STREAM, dscp, *fields))

    async def open_message_channel(
        self,
        label: str = "",
        *,
        priority: int = 0,
        ordered: bool = True,
        reliable: bool = True,
        max_retransmits: int | None = None,
        lifetime: float | None = None,
        dscp: int | None = None,
    ) -> PortMessageChannel:
        """Open a message channel: choices as `fastmux.Connection.open_message_channel`, else as a stream."""
        reliability = reliability_of(reliable, max_retransmits, lifetime)
        fields = (encode_label(label), check_priority(priority), bool(ordered), *reliability)
        return cast(PortMessageChannel, await self._open(c.KIND_MESSAGE, dscp, *fields))

    async def _open(
        self,
        kind: int,
        dscp: int | None,
        label: bytes,
        priority: int,
        ordered: bool = True,
        reliability: int = c.RELIABLE,
        value: int = 0,
    ) -> AnyPortChannel:
        check_dscp(dscp)
        self.check_usable()
        link = await self._exchange.open(kind, self.check_usable)
        if link.closed_error is not None:
            raise renewed(link.closed_error)
        try:
            self.check_usable()  # much may have happened in a round trip
            if dscp is not None:
                link.mark(dscp)
        except BaseException:
            self._exchange.discard(link)
            raise
        link.data_path.open(kind, label, priority, ordered, reliability, value)
        link.schedule()
        return channel_over(link)

    async def accept(self) -> AnyPortChannel:
        """Take the next channel that the peer opened, with its label. Cancelled, nothing is lost.

        Raises `BusyResourceError` if another task accepts or serves, `ClosedResourceError` after a close of
        this end, `ConnectionClosed`.
        """
        return await self._incoming.accept()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AnyPortChannel:
        """The next incoming channel; the iteration ends when the connection ends without an error."""
        return await self._incoming.next()

    async def serve(self, handler: ChannelHandler) -> None:
        """Run `handler(channel)` in a task for each incoming channel; all as `fastmux.Connection.serve`."""
        await self._incoming.serve(handler, ConnectionLog(self.id))

    # --- by the control connection ----------------------------------------------------------------------

    def send_datagram(self, data: Buffer) -> bool:
        """Send one unreliable datagram over the control connection; as `fastmux.Connection`."""
        self.check_usable()
        return self._control.send_datagram(data)

    async def receive_datagram(self) -> bytes:
        """Receive the next datagram of the control connection; as `fastmux.Connection`."""
        return await self._control.receive_datagram()

    async def ping(self) -> float:
        """Measure a round trip of the control connection, in seconds; as `fastmux.Connection`."""
        return await self._control.ping()

    @property
    def id(self) -> str:
        """What the logs of both ends call the control connection."""
        return self._control.id

    @property
    def is_closed(self) -> bool:
        """True once the connection is over for this end."""
        return self._closed_error is not None

    @property
    def peer(self) -> PeerIdentity:
        """Who the peer proved to be; its fields are empty for PLAINTEXT."""
        return self._peer

    @property
    def stats(self) -> ConnectionStatistics:
        """Figures of the control connection."""
        return self._control.stats

    @property
    def ports(self) -> tuple[int, ...]:
        """This end's ports that channels have now; the control connection's is not among them."""
        return tuple(link.local_port for link in self._exchange.links)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Facts about the control connection, as `fastmux.Connection`."""
        return self._control.get_extra_info(name, default)

    # --- ends ---------------------------------------------------------------------------------------

    @property
    def is_closing(self) -> bool:
        """True once this end has begun to close the connection."""
        return self._is_closing

    def close(self, code: int = 0, reason: str = "") -> None:
        """Begin a graceful close and return: what was accepted is delivered first, for 10 seconds at most.

        Raises ValueError or TypeError for a code or reason that cannot be sent.
        """
        check_close(code, reason)
        self._begin_close()
        if self._closing is None and not self.is_closed:
            self._start_closing(code, reason)
            self._abort_timer = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.abort)

    async def aclose(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Close gracefully: deliver everything that was accepted for sending, then close, and wait for that.

        After `timeout` seconds (None: never), or when cancelled, the connection is aborted. May be repeated.
        """
        self._begin_close()
        if self._abort_timer is not None:  # of `close`: from now on `timeout` counts
            self._abort_timer.cancel()
        closing = self._closing or self._start_closing(c.NO_ERROR, "")
        loop = asyncio.get_running_loop()
        timer = None if timeout is None else loop.call_later(timeout, self.abort)
        try:
            await asyncio.shield(closing)
        finally:
            if timer is not None:
                timer.cancel()
            if not self._control.is_closed:
                self.abort()

    def _start_closing(self, code: int, reason: str) -> asyncio.Task[None]:
        closing = self._finish_close(code, reason)
        self._closing = asyncio.get_running_loop().create_task(closing, name="fastmux close")
        return self._closing

    async def _finish_close(self, code: int, reason: str) -> None:
        try:
            while self._exchange.links:
                await self._gone.wait()
            self._control.close(code, reason)
            await self._control.wait_closed()
        finally:
            if self._abort_timer is not None:
                self._abort_timer.cancel()
            if not self._control.is_closed:
                self.abort()
            await asyncio.wait([self._task])

    def _begin_close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        for link in self._exchange.links:
            link.wake_all()
            link.shutdown()
        self._incoming.wake()
        self._exchange.wake_openers()

    async def wait_closed(self) -> None:
        """Wait until the connection is over, for whatever reason."""
        await self._control.wait_closed()
        await asyncio.wait([self._task])

    def abort(self, code: int = c.CANCELLED, reason: str = "") -> None:
        """Close at once: what is unsent or unread is lost, and the peer is told `code` and `reason`.

        Raises ValueError or TypeError for a code or reason that cannot be sent.
        """
        check_close(code, reason)
        self._is_closing = True
        self._end(ConnectionClosed(code, reason))
        self._control.abort(code, reason)

    def _end(self, error: ConnectionError) -> None:
        """Everything is over."""
        if self._closed_error is None:
            self._closed_error = error
            if self._is_closing:
                self._incoming.discard()
            self._exchange.end(error, discard=self._is_closing)
            self._channel.reset()
            self._incoming.wake()

    def check_usable(self) -> None:
        """Raise what the connection ended with, `ClosedResourceError` after a close of this end."""
        if self._closed_error is not None:
            raise renewed(self._closed_error)
        if self._is_closing:
            raise ClosedResourceError("this connection was closed here")

    # --- what the exchange tells ---------------------------------------------------------------------------

    def on_incoming(self, link: PortLink) -> None:
        """A channel of the peer's is here."""
        self._incoming.offer(link)

    def on_link_gone(self, link: PortLink) -> None:
        """A link has gone."""
        if self._closed_error is None:
            self._incoming.on_link_gone(link)
        self._gone.wake_all()
