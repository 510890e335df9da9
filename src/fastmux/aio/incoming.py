"""The channels that the peer opened and nobody has taken yet.

Owns: their queue, whose turn it is to take one, and the `create_server`s that come before. May not know: what
a channel's handler does; the rest of the connection.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fastmux import constants as c
from fastmux.aio.channel_table import ChannelTable
from fastmux.aio.logs import ConnectionLog
from fastmux.aio.serving import AnyChannel, ChannelHandler, ChannelTasks
from fastmux.aio.waiters import WaiterSlot
from fastmux.exceptions import ClosedResourceError, ConnectionClosed

if TYPE_CHECKING:
    from fastmux.aio.ports import Ports
    from fastmux.aio.stream_server import ProtocolFactory, StreamServer


class Incoming:
    """The incoming side of one connection.

    Invariant: `_waiting` are the peer's channels that wait for `accept`, at most `max_streams` and
    `max_message_channels`, for each keeps its slot.
    """

    __slots__ = ("_accepts", "_acceptor", "_channels", "_ports", "_waiting")

    def __init__(self, channels: ChannelTable) -> None:
        self._channels = channels
        self._waiting: deque[int] | None = None  # none before the first: an empty one costs 760 bytes
        self._acceptor = WaiterSlot(channels.loop, "accepting channels of this connection")
        self._accepts = False  # whether anybody ever did
        self._ports: Ports | None = None  # of `create_server`

    async def accept(self) -> AnyChannel:
        """Take the next one. Raises `BusyResourceError` if another task accepts or serves."""
        self._acceptor.check()
        self._accepts = True
        return await self._accept()

    async def serve(self, handler: ChannelHandler, log: ConnectionLog) -> None:
        """Run the handler in a task for each, until the connection ends; `Connection.serve` says the rest."""
        self._acceptor.claim()
        self._accepts = True
        tasks = ChannelTasks(handler, log)
        try:
            while True:
                tasks.start(await self._accept())
        except ClosedResourceError:
            await tasks.join()
        except ConnectionClosed as error:
            await tasks.join()
            if error.code != c.NO_ERROR:
                raise
        finally:
            self._acceptor.unclaim()
            await tasks.cancel()

    async def _accept(self) -> AnyChannel:
        while True:
            if self._channels.is_closing:
                raise ClosedResourceError("this connection was closed here")
            if self._waiting and not self._channels.is_discarded:
                return self._channels.make(self._waiting.popleft())
            self._channels.check_usable()
            await self._acceptor.wait()

    def offer(self, channel_id: int) -> None:
        """A channel of the peer's is for a `create_server` or for whoever accepts."""
        if self._ports is not None and self._ports.take(channel_id, self._accepts):
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(channel_id)
        self._acceptor.wake()

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

    def wake(self) -> None:
        """Let who waits look at the state."""
        self._acceptor.wake()
