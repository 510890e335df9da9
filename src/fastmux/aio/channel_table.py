"""The channels of one connection that have a Python object, and what they need of the connection.

Owns: which object stands for which channel id, and giving back channels whose object was dropped. May not
know: accepting, opening, the socket. A channel that nobody has opened or accepted here is only a number.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol, runtime_checkable
from weakref import ref

from fastmux import constants as c
from fastmux.aio.channel import Channel
from fastmux.aio.driver import Driver
from fastmux.aio.errors import renewed
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.stream import Stream
from fastmux.exceptions import ClosedResourceError
from fastmux.protocol.connection import Connection as ProtocolConnection

_KIND_BIT = 2


@runtime_checkable
class Informed(Protocol):
    """A connection as its channels see it."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        """A fact by name."""
        ...


class ChannelTable:
    """The `ChannelHost` of a connection's channels.

    Invariant: `_channels` has each open channel object by its id, without keeping it alive (a dictionary of
    weak values does so for 0.8 µs a channel in place of 0.2); `_abandoned` are channels whose objects went
    away unclosed and that the core has not been told about yet; `_kept` are those that call back, which
    nobody else need hold.
    """

    __slots__ = (
        "_abandoned",
        "_channels",
        "_connection",
        "_driver",
        "_kept",
        "closed_error",
        "data_path",
        "is_closing",
        "is_discarded",
        "loop",
        "now",
        "wakeups",
        "write_limit",
    )

    def __init__(self, driver: Driver, connection: ProtocolConnection) -> None:
        self.loop = driver.loop
        self.wakeups = driver.wakeups
        self.data_path = connection.data_path
        self.write_limit = driver.configuration.write_limit
        self.closed_error: ConnectionError | None = None
        self.is_closing = False
        self.is_discarded = False
        self.now = driver.clock
        self._driver = driver
        self._connection = connection
        self._channels: dict[int, ref[Channel]] | None = None  # many connections have none yet
        self._abandoned: list[tuple[int, bool]] = []
        self._kept: set[Channel] | None = None

    def make(self, channel_id: int) -> Stream | MessageChannel:
        """The object for a channel that was just opened or accepted."""
        fields = self.data_path.open_fields(channel_id)
        kind = MessageChannel if channel_id & _KIND_BIT else Stream
        channel = kind(self, channel_id, fields)
        if self._channels is None:
            self._channels = {}
        self._channels[channel_id] = ref(channel)
        return channel

    def check_usable(self) -> None:
        """Raise what the connection ended with, `ClosedResourceError` after a close of this end."""
        if self.closed_error is not None:
            raise renewed(self.closed_error)
        if self.is_closing:
            raise ClosedResourceError("this connection was closed here")

    def schedule(self) -> None:
        """Drive the connection before the loop's next turn."""
        if self.closed_error is None:
            self._driver.schedule(self._connection)

    def wrote(self) -> None:
        """Data were written: drive the connection before the loop's next turn, or now."""
        if self.closed_error is None:
            self._driver.wrote(self._connection)

    def follow(self) -> None:
        """A channel was taken: the task that may be made for it is going to write in the loop's next turn."""
        self._driver.follow()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """A fact about the connection; "fastmux.connection" is the connection itself."""
        connection = self._connection.user_data
        if name == "fastmux.connection":
            return connection
        return connection.get_extra_info(name, default) if isinstance(connection, Informed) else default

    def find(self, channel_id: int) -> Channel | None:
        """The object of a channel, None if nobody here holds one."""
        found = None if self._channels is None else self._channels.get(channel_id)
        return None if found is None else found()

    def wake_all(self) -> None:
        """Let every waiting task look at what has become of the connection."""
        for found in list((self._channels or {}).values()):
            channel = found()
            if channel is not None:
                channel.wake_all()

    def on_closed(self, error: ConnectionError) -> list[tuple[int, int]]:
        """The connection is over. Returns what is ready still: the peer's last packets can be read."""
        self.closed_error = error
        ready: list[tuple[int, int]] = []
        try:
            ready = self.data_path.take_ready()
        except ClosedResourceError:
            self.is_discarded = True
        self.wake_all()
        return ready

    def discard(self) -> None:
        """This end wants no more of it: free what was kept for reading."""
        if not self.is_discarded and self.closed_error is not None:
            self.is_discarded = True
            self._connection.discard()
            self.wake_all()

    # --- channels that call back ---------------------------------------------------------------------

    def keep(self, channel: Channel) -> None:
        """Hold a reference until `let_go`."""
        if self._kept is None:
            self._kept = set()
        self._kept.add(channel)

    def let_go(self, channel: Channel) -> None:
        """Hold it no longer."""
        if self._kept is not None:
            self._kept.discard(channel)

    # --- channels that are given back ----------------------------------------------------------------

    def release(self, channel_id: int) -> None:
        """This end holds the channel no more; the core was told of what it ended."""
        if self._channels is not None:
            self._channels.pop(channel_id, None)
        self.data_path.release(channel_id)
        self.schedule()

    def abandon(self, channel_id: int, is_send_finished: bool) -> None:
        """Note it, and tell the core later: a finalizer may run in the middle of a core call."""
        self._abandoned.append((channel_id, is_send_finished))
        with suppress(RuntimeError):  # the loop is closed, and the connection with it
            self.loop.call_soon_threadsafe(self._reap)

    def _reap(self) -> None:
        """Give dropped channels back; one that was not finished is reset, so that it never looks whole."""
        while self._abandoned:
            channel_id, is_send_finished = self._abandoned.pop()
            if self.closed_error is not None:
                continue
            if not is_send_finished:
                self.data_path.reset(channel_id, c.CANCELLED)
            self.release(channel_id)
