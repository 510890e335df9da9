"""The channels that the peer opened and nobody has taken yet.

Owns: their queue, and the `create_server`s that come before. May not know: who takes them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fastmux.aio.accepting import Accepting
from fastmux.aio.channel_table import ChannelTable
from fastmux.aio.serving import AnyChannel
from fastmux.exceptions import ClosedResourceError

if TYPE_CHECKING:
    from fastmux.aio.ports import Ports
    from fastmux.aio.stream_server import ProtocolFactory, StreamServer


class Incoming(Accepting[AnyChannel]):
    """The incoming side of one connection.

    Invariant: `_waiting` are the peer's channels that wait for `accept`, at most `max_streams` and
    `max_message_channels`, for each keeps its slot.
    """

    __slots__ = ("_channels", "_ports", "_waiting")

    def __init__(self, channels: ChannelTable) -> None:
        super().__init__(channels.wakeups)
        self._channels = channels
        self._waiting: deque[int] | None = None  # none before the first: an empty one costs 760 bytes
        self._ports: Ports | None = None  # of `create_server`

    def _take(self) -> AnyChannel | None:
        if self._channels.is_closing:
            raise ClosedResourceError("this connection was closed here")
        if self._waiting and not self._channels.is_discarded:
            channel = self._channels.make(self._waiting.popleft())
            self._channels.follow()
            return channel
        self._channels.check_usable()
        return None

    def offer(self, channel_id: int) -> None:
        """A channel of the peer's is for a `create_server` or for whoever accepts."""
        if self._ports is not None and self._ports.take(channel_id, self.accepts):
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(channel_id)
        self.wake()

    def listen(self, factory: ProtocolFactory, host: str, port: int) -> StreamServer:
        """Make a server for the streams to a place. Raises OSError if there is one already."""
        self._channels.check_usable()
        if self._ports is None:
            from fastmux.aio.ports import Ports  # not for everybody who connects

            self._ports = Ports(self._channels)
        server = self._ports.listen(factory, host, port)
        self._channels.loop.call_soon(self._offer_again)  # later: several may be made one after the other
        return server

    def _offer_again(self) -> None:
        if self._waiting and self._channels.closed_error is None:
            waiting, self._waiting = self._waiting, None
            for channel_id in waiting:
                self.offer(channel_id)

    def on_closed(self, error: ConnectionError) -> None:
        """The connection is over: its servers learn why."""
        if self._ports is not None:
            self._ports.on_closed(error)
