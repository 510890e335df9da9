"""One port with its socket, its keyed connection, and the one channel that runs over it.

Owns: the channel's life as a whole, from the first packet to the moment when neither end needs the port. May
not know: the control channel, other ports.
"""

from __future__ import annotations

import socket
import weakref
from contextlib import suppress
from functools import partial
from typing import Protocol

from fastmux import constants as c
from fastmux.aio.channel import Channel
from fastmux.aio.driver import Driver
from fastmux.aio.loop import Handle
from fastmux.exceptions import ClosedResourceError, ConnectionClosed
from fastmux.portmux.ports import set_dscp
from fastmux.protocol import events
from fastmux.protocol.keyed import KeyedConnection

_CHANNEL_BITS = 3  # of a channel id that say kind and opener: the index over a port is always 0


class LinkOwner(Protocol):
    """Who has the link, and hears what becomes of it."""

    @property
    def is_closing(self) -> bool:
        """True once this end has begun to close the whole."""
        ...

    def get_extra_info(self, name: str, default: object = None) -> object:
        """A fact about the whole; "fastmux.connection" is the connection itself."""
        ...

    def offer(self, link: PortLink) -> None:
        """The peer's channel is here."""
        ...

    def settle(self, link: PortLink) -> None:
        """Both directions are over, as far as this end can know, and nobody here uses the channel."""
        ...

    def fail(self, link: PortLink, code: int) -> None:
        """The link broke, or its peer closed it."""
        ...

    def give_back(self, link: PortLink) -> None:
        """The link's socket is closed."""
        ...


class PortLink:
    """The `ChannelHost` of one channel, and the `EventSink` of its connection.

    Invariant: `_is_done` from when both directions are over; `is_settled` from when nobody uses the channel
    either. `closed_error` is set from `end` on. After `end` or `drop` the driver is closed, or about to be;
    what had come before an `end` can be received until the channel's object is gone.
    """

    __slots__ = (
        "__weakref__",
        "_channel",
        "_connection",
        "_driver",
        "_is_done",
        "_is_dropped",
        "_is_released",
        "_kept",
        "_owner",
        "_reach_timer",
        "_socket",
        "closed_error",
        "data_path",
        "id",
        "is_discarded",
        "is_settled",
        "is_waiting",
        "local_port",
        "loop",
        "now",
        "peer_settled",
        "wakeups",
        "write_limit",
    )

    def __init__(
        self,
        owner: LinkOwner,
        channel_id: int,
        driver: Driver,
        connection: KeyedConnection,
        sock: socket.socket,
    ) -> None:
        self._owner = owner
        self._driver = driver
        self._connection = connection
        self._socket = sock
        self._kept: Channel | None = None
        self._channel: weakref.ref[Channel] | None = None
        self._is_done = self._is_released = self._is_dropped = False
        self._reach_timer: Handle | None = None
        self.id = channel_id
        self.loop = driver.loop
        self.wakeups = driver.wakeups
        self.data_path = connection.data_path
        self.write_limit = driver.configuration.write_limit
        self.now = driver.clock
        self.local_port: int = driver.transport.sockname[1]
        self.closed_error: ConnectionError | None = None
        self.is_discarded = False
        self.is_settled = False
        self.is_waiting = False  # for `accept`
        self.peer_settled = False
        connection.user_data = self
        if not connection.is_reached:
            self._reach_timer = self.loop.call_later(c.PORT_TIMEOUT, self._check_reached)
        driver.schedule(connection)

    # --- about it -----------------------------------------------------------------------------------

    @property
    def core_id(self) -> int:
        """The id of the channel in its data path."""
        return self.id & _CHANNEL_BITS

    @property
    def is_closing(self) -> bool:
        """True once this end has begun to close the whole."""
        return self._owner.is_closing

    @property
    def server_port(self) -> int:
        """The port that the two ends agreed on."""
        return self._connection.address[1] if self._connection.is_client else self.local_port

    @property
    def connection(self) -> KeyedConnection:
        """The connection below, to look at."""
        return self._connection

    def mark(self, dscp: int) -> None:
        """Mark what this end sends. Raises OSError where the system does not allow it."""
        if self.closed_error is None and not self._is_dropped:
            set_dscp(self._socket, dscp)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Facts about the port: "peername", "sockname", "socket_path"; others as of the whole connection."""
        transport = self._driver.transport
        facts: dict[str, object] = {
            "peername": self._connection.address,
            "sockname": transport.sockname,
            "socket_path": transport.path,
        }
        if name in facts:
            return facts[name]
        return self._owner.get_extra_info(name, default)

    # --- the channel ----------------------------------------------------------------------------------

    def bind(self, channel: Channel) -> None:
        """This is the channel's object. It is not kept alive."""
        self._channel = weakref.ref(channel)

    def schedule(self) -> None:
        """Drive the connection before the loop's next turn."""
        if self.closed_error is None and not self._is_dropped:
            self._driver.schedule(self._connection)

    def wrote(self) -> None:
        """Data were written: drive the connection before the loop's next turn, or now."""
        if self.closed_error is None and not self._is_dropped:
            self._driver.wrote(self._connection)

    def keep(self, channel: Channel) -> None:
        """Hold a reference until `let_go`: the channel calls back, and nobody else need hold it."""
        self._kept = channel

    def let_go(self, channel: Channel) -> None:
        """Hold it no longer."""
        self._kept = None

    def release(self, channel_id: int) -> None:
        """This end holds the channel no more. The core keeps its id, and tells when all is over."""
        self.data_path.stop(channel_id, c.CANCELLED)
        self._is_released = True
        self.schedule()
        self._check_settled()

    def abandon(self, channel_id: int, is_send_finished: bool) -> None:
        """The channel's object went away unclosed. May be called from anywhere, at any time."""
        with suppress(RuntimeError):  # the loop is closed, and the connection with it
            self.loop.call_soon_threadsafe(partial(self._reap, is_send_finished))

    def _reap(self, is_send_finished: bool) -> None:
        """Give a dropped channel up; one that was not finished is reset, so that it never looks whole."""
        if self.closed_error is None and not self._is_dropped:
            if not is_send_finished:
                self.data_path.reset(self.core_id, c.CANCELLED)
            self.release(self.core_id)

    def _check_settled(self) -> None:
        if self._is_done and self._is_released and not self.is_settled and self.closed_error is None:
            self.is_settled = True
            self._owner.settle(self)

    # --- events -------------------------------------------------------------------------------------

    def handle_event(self, event: events.Event) -> None:
        """Take one event of the connection. Called by the driver."""
        match event:
            case events.ChannelsReady(ready):
                for _, flags in ready:  # of the one channel that there can be
                    self._on_ready(flags)
            case events.Closed(error):
                code = error.code if isinstance(error, ConnectionClosed) else c.INTERNAL
                if self.closed_error is None:
                    self.end(error)
                    self._owner.fail(self, code)

    def _on_ready(self, flags: int) -> None:
        if flags & c.READY_OPENED:
            self._owner.offer(self)
        channel = None if self._channel is None else self._channel()
        if channel is not None:
            channel.notify(flags)
        if flags & c.READY_DONE:
            self._is_done = True
            self._check_settled()

    def _check_reached(self) -> None:
        if not self._connection.is_reached and self.closed_error is None:
            self.end(unreached(self.local_port, "no packet of the client came"))
            self._owner.fail(self, c.NO_VIABLE_PATH)

    # --- the end ------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """Close as soon as everything that was accepted for sending is acknowledged."""
        if self.closed_error is None and not self._is_dropped:
            self._connection.shutdown(c.NO_ERROR, "", self.now())
            self.schedule()

    def end(self, error: ConnectionError, *, discard: bool = False) -> None:
        """The channel is over for the reason in `error`; may be repeated, the first reason counts.

        `discard`: what had come is not to be received any more.
        """
        if self.closed_error is not None:
            return
        try:
            ready = self.data_path.take_ready()  # the peer's last packets can be read
        except ClosedResourceError:
            discard, ready = True, []
        self.closed_error = error
        self.is_discarded = discard
        for _, flags in ready:
            self._on_ready(flags)
        self.wake_all()
        self.drop()

    def wake_all(self) -> None:
        """Let every waiting task look at what has become of the channel."""
        channel = None if self._channel is None else self._channel()
        if channel is not None:
            channel.wake_all()

    def drop(self) -> None:
        """Free port and socket once what may go at once has gone; may be repeated."""
        if self._is_dropped:
            return
        self._is_dropped = True
        if self._reach_timer is not None:
            self._reach_timer.cancel()
        self.loop.call_soon(self._close_driver)  # later: the driver may be at work with this very connection

    def _close_driver(self) -> None:
        self._driver.close()
        if self.is_settled or self.is_discarded:
            self._connection.forget(self.now())
        self._owner.give_back(self)


def unreached(port: int, why: str) -> ConnectionClosed:
    """The error of a port that did not carry a packet in time."""
    reason = (
        f"{why} to UDP port {port} within {c.PORT_TIMEOUT:g} s: a firewall may be closed for it"
        " (portmux.listen(…, ports=range(…)) keeps to the ports that are open)"
    )
    return ConnectionClosed(c.NO_VIABLE_PATH, reason)
