"""The channels of this way: the same as the header way's, each with a port.

Owns: the ports, the mark and the end of a channel that has a connection of its own. May not know: how
anything is sent or received (the classes of `fastmux.aio` do that).
"""

from __future__ import annotations

from typing import cast

from fastmux import constants as c
from fastmux.aio.channel import Channel
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.stream import Stream
from fastmux.portmux.link import PortLink
from fastmux.portmux.ports import check_dscp
from fastmux.protocol.statistics import ConnectionStatistics


class OnPort(Channel):
    """What a channel has besides when it runs over a port of its own."""

    __slots__ = ()

    def __repr__(self) -> str:
        label = f" {self.label!r}" if self.label else ""
        closed = " closed" if self._is_closed else ""
        return f"<{type(self).__name__} {self.id}{label} on port {self.port}{closed}>"

    @property
    def _link(self) -> PortLink:
        return cast(PortLink, self._host)

    @property
    def id(self) -> int:
        """The channel's number: index << 2 | kind << 1 | opener; the index counts channels of both kinds."""
        return self._link.id

    @property
    def port(self) -> int:
        """The server's UDP port of this channel."""
        return self._link.server_port

    @property
    def local_port(self) -> int:
        """This end's UDP port of this channel."""
        return self._link.local_port

    @property
    def stats(self) -> ConnectionStatistics:
        """Figures of this channel's port: each has a round trip, a window and losses of its own."""
        return self._link.connection.statistics()

    def set_dscp(self, dscp: int) -> None:
        """Mark what this end sends on this channel (RFC 2474), 0 to 63; the peer marks for itself.

        Raises ValueError for anything else, OSError where the system does not allow it, `ClosedResourceError`
        or `ConnectionClosed` after the end.
        """
        check_dscp(dscp)
        self._check_open()
        self._link.mark(dscp)


class PortStream(OnPort, Stream):
    """A `Stream` over a UDP port of its own."""

    __slots__ = ()


class PortMessageChannel(OnPort, MessageChannel):
    """A `MessageChannel` over a UDP port of its own."""

    __slots__ = ()


def channel_over(link: PortLink) -> PortStream | PortMessageChannel:
    """The object of a link's channel, which was opened or accepted here."""
    fields = link.data_path.open_fields(link.core_id)
    kind = PortMessageChannel if link.id >> 1 & 1 == c.KIND_MESSAGE else PortStream
    channel = kind(link, link.core_id, fields)
    link.bind(channel)
    return channel
