"""Facts about a stream, by anyio's typed attributes.

Owns: which there are. May not know: streams beyond their facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from anyio import TypedAttributeSet, typed_attribute
from anyio.abc import SocketAttribute

from fastmux.aio.channel import Channel
from fastmux.aio.connection import Connection
from fastmux.protocol.handshake import PeerIdentity


class FastmuxAttribute(TypedAttributeSet):
    """What a fastmux stream knows beyond a socket."""

    connection: Connection = typed_attribute()
    """The connection that the stream belongs to."""
    channel_id: int = typed_attribute()
    """The number of its channel."""
    label: str = typed_attribute()
    """The text that its opener gave it."""
    peer: PeerIdentity = typed_attribute()
    """Who the peer of the connection proved to be."""


def attributes_of(channel: Channel) -> Mapping[Any, Callable[[], Any]]:
    """The `extra_attributes` of a channel's stream."""

    def connection() -> Connection:
        return cast(Connection, channel.get_extra_info("fastmux.connection"))

    return {
        FastmuxAttribute.connection: connection,
        FastmuxAttribute.channel_id: lambda: channel.id,
        FastmuxAttribute.label: lambda: channel.label,
        FastmuxAttribute.peer: lambda: connection().peer,
        SocketAttribute.local_address: lambda: channel.get_extra_info("sockname"),
        SocketAttribute.remote_address: lambda: channel.get_extra_info("peername"),
    }
