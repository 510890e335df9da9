"""Which incoming streams of a connection belong to its `create_server`s.

Owns: the servers in their order, and the decision. May not know: what a server does with a stream; `accept`
and `serve`, which get what is not decided here.

A stream whose label is `fastmux:tcp:HOST:PORT` is for the first open server of that place. One that no server
wants is for whoever accepts the connection's channels; where nobody ever has, it is refused. Other channels
are of no concern here.
"""

from __future__ import annotations

import errno
from functools import partial
from typing import cast

from fastmux import constants as c
from fastmux.aio.channel_table import ChannelTable
from fastmux.aio.stream import Stream
from fastmux.aio.stream_server import ProtocolFactory, StreamServer
from fastmux.aio.tcp_labels import parse_tcp_label

_KIND_BIT = 2


class Ports:
    """The servers of one connection.

    Invariant: `_servers` has each server that is open, and maybe some that are closed; none of two open ones
    has the same place.
    """

    def __init__(self, channels: ChannelTable) -> None:
        self._channels = channels
        self._servers: list[StreamServer] = []

    def listen(self, factory: ProtocolFactory, host: str, port: int) -> StreamServer:
        """Make a server. Raises OSError if there is one of the same place already."""
        self._servers = [server for server in self._servers if server.is_serving()]
        server = StreamServer(factory, host, port)
        if any(other.place == server.place for other in self._servers):
            raise OSError(
                errno.EADDRINUSE, f"{host or '*'} port {port or '*'} is served already on this connection"
            )
        self._servers.append(server)
        return server

    def take(self, channel_id: int, is_anybody_accepting: bool) -> bool:
        """Take or refuse a channel that the peer opened. False if it is for whoever accepts.

        A server gets its stream in the loop's next turn: what follows is a user's code.
        """
        if channel_id & _KIND_BIT:
            return False
        label = self._channels.data_path.open_fields(channel_id).label.decode("utf-8", "replace")
        place = parse_tcp_label(label)
        if place is None:
            return False
        for server in self._servers:
            if server.takes(*place):
                stream = cast(Stream, self._channels.make(channel_id))
                self._channels.wakeups.call_soon(partial(server.accept, stream))
                return True
        if is_anybody_accepting:
            return False
        self._channels.make(channel_id).reset(c.REFUSED)
        return True

    def on_closed(self, error: ConnectionError) -> None:
        """The connection is over."""
        for server in self._servers:
            server.on_connection_closed(error)
