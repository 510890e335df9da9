"""The public connection.

Owns: what a user does with a connection, and its waiting tasks. May not know: the socket, packets; how a
channel works.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from fastmux import constants as c
from fastmux import core
from fastmux.aio.channel_table import ChannelTable
from fastmux.aio.datagram_queue import DatagramQueue
from fastmux.aio.driver import Driver
from fastmux.aio.errors import renewed
from fastmux.aio.incoming import Incoming
from fastmux.aio.logs import CONNECTION_LOGGER, ConnectionLog
from fastmux.aio.loop import Handle
from fastmux.aio.loop_methods import LoopMethods
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.moves import Moves
from fastmux.aio.openings import Openings
from fastmux.aio.pings import Pings
from fastmux.aio.serving import AnyChannel, ChannelHandler
from fastmux.aio.stream import Stream
from fastmux.aio.waiters import WaiterQueue, WaiterSlot
from fastmux.exceptions import ClosedResourceError
from fastmux.protocol import events
from fastmux.protocol.closing import check_close
from fastmux.protocol.connection import Connection as ProtocolConnection
from fastmux.protocol.handshake import PeerIdentity
from fastmux.protocol.statistics import ConnectionStatistics
from fastmux.security.names import printable

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from fastmux.aio.stream_server import ProtocolFactory, StreamServer

logger = logging.getLogger(CONNECTION_LOGGER)

CLOSE_TIMEOUT: Final = 10.0  # seconds that a graceful close may take if nothing else is said


class Connection(LoopMethods):
    """One authenticated connection with any number of channels. Made by `connect` and for `listen`'s handler.

    `async with` closes it: gracefully after a clean block, at once after an error. Times are in seconds,
    sizes in bytes. When the connection is over every waiting task gets the reason (`ConnectionClosed`);
    what the peer had sent before it closed can still be received until this end closes too.

    Invariant: a channel of the peer's is in `_incoming` until somebody takes it, and then in `_channels`.
    """

    __slots__ = (
        "__weakref__",
        "_abort_timer",
        "_channels",
        "_connection",
        "_datagram_reader",
        "_datagrams",
        "_driver",
        "_incoming",
        "_is_opened",
        "_life",
        "_moves",
        "_openings",
        "_owns_driver",
        "_pings",
    )

    def __init__(self, driver: Driver, connection: ProtocolConnection, *, owns_driver: bool = False) -> None:
        """`owns_driver`: the driver is closed when the connection has nothing to answer any more."""
        wakeups = driver.wakeups
        self._driver = driver
        self._owns_driver = owns_driver
        self._connection = connection
        self._channels = ChannelTable(driver, connection)
        self._incoming = Incoming(self._channels)
        self._openings = Openings(self._channels)
        self._datagrams = DatagramQueue()
        self._datagram_reader = WaiterSlot(wakeups, "receiving datagrams of this connection")
        self._pings = Pings(self._channels)
        self._life = WaiterQueue(wakeups)
        self._moves: Moves | None = None  # none before the first
        self._is_opened = False
        self._abort_timer: Handle | None = None
        connection.user_data = self

    def __repr__(self) -> str:
        role = "client" if self._connection.is_client else "server"
        state = "open" if self._connection.is_open else "closed" if self.is_closed else "not open"
        host, port = self._connection.address[:2]
        return f"<Connection {role} with {host} port {port} {state}>"

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

    # --- channels -----------------------------------------------------------------------------------

    async def open_stream(self, label: str = "", *, priority: int = 0) -> Stream:
        """Open a stream; waits while the peer's limit of streams is reached.

        `label` (at most 255 bytes of UTF-8, need not be unique) and `priority` (0, most urgent, to 255; see
        `Stream.priority`) reach the peer with it and hold for both directions. Raises `ClosedResourceError`
        after a close of this end, `ConnectionClosed`, ValueError for a label or priority that is not allowed.
        If it is cancelled while it waits, no stream was opened.
        """
        return await self._openings.stream(label, priority)

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
        """Open a message channel; waits while the peer's limit of message channels is reached.

        `label` and `priority` are as for `open_stream`; all choices hold for both directions. With
        `reliable=False` every message is sent once; with `max_retransmits` it is sent again at most so many
        times, with `lifetime` (seconds, in whole milliseconds) until it is that old. What was given up is
        left out. Raises as `open_stream`, and ValueError for choices that do not go together.
        """
        return await self._openings.message_channel(
            label, priority, ordered, reliable, max_retransmits, lifetime
        )

    async def accept(self) -> AnyChannel:
        """Take the next channel that the peer opened, with its label. Cancelled, nothing is lost.

        Close it (`aclose`, `reset`, `async with`) when done: that gives its slot back to the peer. Raises
        `BusyResourceError` if another task accepts or serves, `ClosedResourceError` after a close of this
        end, `ConnectionClosed`.
        """
        return await self._incoming.accept()

    def __aiter__(self) -> Self:
        """Channels that the peer opens, one by one, until the connection ends. Raises as `accept`."""
        return self

    async def __anext__(self) -> AnyChannel:
        """The next incoming channel; the iteration ends when the connection ends without an error."""
        return await self._incoming.next()

    async def serve(self, handler: ChannelHandler) -> None:
        """Run `handler(channel)` in a task for each incoming channel, until the connection ends.

        When a handler returns, its channel is closed; when it raises, the error is logged and its channel
        reset with code INTERNAL, and no other is concerned. Returns when the connection ended without an
        error and every handler has ended; raises `ConnectionClosed` if it ended with one,
        `BusyResourceError` if another task accepts or serves. Cancelled, it cancels the handlers.
        """
        await self._incoming.serve(handler, ConnectionLog(self.id))

    # --- datagrams and pings ---------------------------------------------------------------------------

    def send_datagram(self, data: Buffer) -> bool:
        """Send one unreliable datagram, unordered. False if it was dropped at once because too many wait.

        What does not fit into a packet of the path (`stats.mtu` less 32 bytes, with ids of 8) is dropped
        later, and counted in `stats.datagrams_dropped`. Raises `MessageTooBig` above what the peer takes,
        `ClosedResourceError` after a close of this end, `ConnectionClosed`.
        """
        self._channels.check_usable()
        taken = self._channels.data_path.send_datagram(data)
        self._channels.schedule()
        return taken

    async def receive_datagram(self) -> bytes:
        """Receive the next datagram; while nobody does, only the newest are kept.

        Raises `BusyResourceError` if another task receives datagrams, `ClosedResourceError`,
        `ConnectionClosed`.
        """
        self._datagram_reader.check()
        while not self._datagrams or self._channels.is_closing:
            self._channels.check_usable()
            await self._datagram_reader.wait()
        return self._datagrams.pop()

    async def ping(self) -> float:
        """Measure a round trip to the peer and back, in seconds.

        Raises `ClosedResourceError` after a close of this end, `ConnectionClosed`.
        """
        self._channels.check_usable()
        return await self._pings.wait(self._connection.ping(self._driver.clock()))

    async def migrate(self, local_address: tuple[str, int] | None = None) -> None:
        """Move to a new socket, bound to `local_address` (None: any), without a break. For a client's end.

        The new path is validated first, with a connection id that nobody has seen (RFC 9000 §9); the old
        socket is closed a little later. If it fails, or is cancelled, the connection stays as it was.

        Raises OSError if there can be no such socket, TimeoutError if the server does not answer there within
        three probe timeouts (3 s at least), RuntimeError for a server's end, `ClosedResourceError`,
        `ConnectionClosed`.
        """
        self._channels.check_usable()
        if not self._owns_driver:
            raise RuntimeError("a server follows its clients: only the end that connected can migrate")
        self._moves = self._moves or Moves(self._driver, self._connection)
        await self._moves.migrate(local_address, self._channels.check_usable)

    # --- about it -----------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """True once the connection is over for this end."""
        return self._channels.closed_error is not None

    @property
    def id(self) -> str:
        """A name for logs, in hexadecimal digits: the same at both ends, unpredictable, not secret."""
        return self._connection.ids.first.hex()

    @property
    def peer(self) -> PeerIdentity:
        """Who the peer proved to be; its fields are empty for PLAINTEXT."""
        return self._connection.peer or PeerIdentity()

    @property
    def stats(self) -> ConnectionStatistics:
        """The figures of this moment, or of the end; `ConnectionStatistics` explains each of them."""
        try:
            return self._connection.statistics()
        except ClosedResourceError:  # read in another thread, just when it ended
            return self._connection.statistics()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Facts by name: "peername", "sockname", "peer_certificate" (DER), "core", "socket_path".

        "socket_path" is how datagrams go: "gso+gro", "gro", "plain", "datagram_endpoint". Unknown names, and
        "socket", give `default`.
        """
        transport = self._driver.transport
        if name == "peername":
            return self._connection.address
        if name == "peer_certificate":
            return self.peer.certificate or default
        if name == "core":
            return core.IMPLEMENTATION
        if name == "socket_path":
            return transport.path
        if name == "sockname":
            return transport.sockname
        return default

    # --- ends ---------------------------------------------------------------------------------------

    def close(self, code: int = 0, reason: str = "") -> None:
        """Begin a graceful close and return: nothing new is taken, what was accepted is delivered first.

        After 10 seconds without success the connection is aborted. May be repeated; `wait_closed` waits.
        The code is yours, 0 to 2**62 - 1; of the reason 512 bytes are sent. Raises ValueError or TypeError.
        """
        check_close(code, reason)
        if self._begin_close(code, reason):
            self._abort_timer = self._driver.loop.call_later(CLOSE_TIMEOUT, self.abort)

    async def aclose(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Close gracefully: deliver everything that was accepted for sending, then close, and wait for that.

        After `timeout` seconds (None: never), or when cancelled, the connection is aborted. May be repeated.
        """
        self._begin_close(c.NO_ERROR, "")
        if self._abort_timer is not None:  # of `close`: from now on `timeout` counts
            self._abort_timer.cancel()
        timer = None if timeout is None else self._driver.loop.call_later(timeout, self.abort)
        try:
            await self.wait_closed()
        finally:
            if timer is not None:
                timer.cancel()
            if not self.is_closed:
                self.abort()

    async def wait_closed(self) -> None:
        """Wait until the connection is over, for whatever reason."""
        while not self.is_closed:
            await self._life.wait()

    def abort(self, code: int = c.CANCELLED, reason: str = "") -> None:
        """Close at once: what is unsent or unread is lost, and the peer is told `code` and `reason`.

        Raises ValueError or TypeError for a code or reason that cannot be sent.
        """
        check_close(code, reason)
        self._channels.is_closing = True
        if not self._connection.is_closed:
            self._connection.close(code, reason, self._driver.clock())
            self._driver.schedule(self._connection)
            self._driver.hand_out(self._connection)  # it is closed when this returns
        self._channels.discard()

    def _begin_close(self, code: int, reason: str) -> bool:
        """Begin a close of this end. False if that was done before, or the connection is over."""
        if self.is_closed:
            self._channels.is_closing = True
            self._channels.discard()
            return False
        if self._channels.is_closing:
            return False
        self._channels.is_closing = True
        self._connection.shutdown(code, reason, self._driver.clock())
        self._channels.schedule()
        self._wake_all()
        return True

    # --- for client and server ---------------------------------------------------------------------------

    async def wait_opened(self) -> None:
        """Wait until the connection is open. Raises what kept it from opening."""
        while not self._is_opened:
            if self._channels.closed_error is not None:
                raise renewed(self._channels.closed_error)
            await self._life.wait()

    # --- events -------------------------------------------------------------------------------------

    def handle_event(self, event: events.Event) -> None:
        """Take one event of the protocol. Called by the driver."""
        if type(event) is events.ChannelsReady:  # mostly
            self._on_ready(event.ready)
            return
        match event:
            case events.DatagramsReceived(datagrams):
                self._datagrams.extend(datagrams)
                self._datagram_reader.wake()
            case events.PingAcknowledged(token, round_trip):
                self._pings.on_answer(token, round_trip)
            case events.ChannelsAvailable():
                self._openings.wake()
            case events.PathMoved() | events.PathFailed() | events.PathLeft():
                self._moves = self._moves or Moves(self._driver, self._connection)
                self._moves.handle_event(event)
            case events.Opened():
                self._is_opened = True
                self._debug("open with %s port %d", *self._connection.address[:2])
                self._life.wake_all()
            case events.Closed(error):
                self._on_closed(error)

    def _on_ready(self, ready: list[tuple[int, int]]) -> None:
        find = self._channels.find
        for channel_id, flags in ready:
            if flags & c.READY_OPENED:
                self._incoming.offer(channel_id)
            channel = find(channel_id)
            if channel is not None:
                channel.notify(flags)

    def _listen(self, factory: ProtocolFactory, host: str, port: int) -> StreamServer:
        return self._incoming.listen(factory, host, port)

    def _debug(self, message: str, *arguments: object) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            ConnectionLog(self.id).debug(message, *arguments)

    def _on_closed(self, error: ConnectionError) -> None:
        self._debug("closed: %s", printable(str(error)))
        self._on_ready(self._channels.on_closed(error))
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        self._incoming.on_closed(error)
        if self._channels.is_closing:
            self._channels.discard()
        if self._moves is not None:
            self._moves.on_closed()
        self._pings.on_closed()
        self._wake_all()
        self._life.wake_all()
        if self._owns_driver:
            self._driver.close_when_idle()

    def _wake_all(self) -> None:
        """Let every waiting task look at the state."""
        self._channels.wake_all()
        self._incoming.wake()
        self._datagram_reader.wake()
        self._openings.wake_all()
