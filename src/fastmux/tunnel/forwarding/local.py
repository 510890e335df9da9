"""Local listeners: what comes in goes to a target behind the far end.

Owns: which kind of listener a forward needs. May not know: connections, which come and go while a listener
stays.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from fastmux.protocol.events import Address
from fastmux.tunnel.constants import MAX_FORWARD_CONNECTIONS, MAX_UDP_FLOWS, UDP_FLOW_IDLE_TIMEOUT
from fastmux.tunnel.forwarding.acceptor import Acceptor
from fastmux.tunnel.forwarding.binding import bind
from fastmux.tunnel.forwarding.carry import carry
from fastmux.tunnel.forwarding.counters import ChannelRecord
from fastmux.tunnel.forwarding.outlet import Outlet
from fastmux.tunnel.forwarding.udp_flows import UdpFlows
from fastmux.tunnel.forwarding.udp_listener import UdpListener
from fastmux.tunnel.notation.targets import Target

if TYPE_CHECKING:
    from fastmux.aio.message_channel import MessageChannel
    from fastmux.aio.stream import Stream


class Listener:
    """One `-L`: TCP or Unix connections, or UDP datagrams, that come in at `listen` and go on to `to`.

    While there is no connection, new local ones wait for the outlet's `open_timeout`, and are then reset.
    """

    def __init__(
        self,
        listen: Target,
        to: Target,
        outlet: Outlet,
        *,
        max_connections: int = MAX_FORWARD_CONNECTIONS,
        max_flows: int = MAX_UDP_FLOWS,
        idle_timeout: float = UDP_FLOW_IDLE_TIMEOUT,
    ) -> None:
        """`max_connections` is for TCP and Unix, `max_flows` and `idle_timeout` (seconds) are for UDP.

        Raises ValueError for UDP on one side only.
        """
        if (listen.protocol == "udp") != (to.protocol == "udp"):
            raise ValueError(f"{listen} cannot go on to {to}: datagrams go to datagrams only")
        self.listen = listen
        self.to = to
        self._outlet = outlet
        self._max_connections = max_connections
        self._max_flows = max_flows
        self._idle_timeout = idle_timeout
        self._running: Acceptor | UdpListener | None = None

    @property
    def bound(self) -> Target:
        """Where it listens, with the port that the system chose; before `start` where it shall."""
        return self.listen if self._running is None else self._running.target

    async def start(self) -> None:
        """Begin to listen. Raises OSError that says which address cannot be used, and why."""
        bound = await bind(self.listen)
        if self.to.protocol != "udp":
            self._running = Acceptor(bound, self._carry, max_connections=self._max_connections)
            return
        listener = UdpListener(bound)
        flows: UdpFlows[Address] = UdpFlows(
            self._open_channel,
            listener.deliver,
            lambda _: self._record(),
            self._outlet.registry,
            self._outlet.limits,
            max_flows=self._max_flows,
            idle_timeout=self._idle_timeout,
        )
        listener.start(flows)
        self._running = listener

    def stop(self) -> None:
        """Listen no more; TCP and Unix connections that are open go on (`join` waits for them)."""
        if self._running is not None:
            self._running.stop()

    async def join(self) -> None:
        """Wait until everything that came in has ended. For after `stop`."""
        if self._running is not None:
            await self._running.join()

    async def close(self) -> None:
        """Listen no more, and reset what is still open. May be repeated."""
        if self._running is not None:
            await self._running.close()

    def _record(self) -> ChannelRecord:
        return self._outlet.registry.open(self._outlet.identity, self.to.protocol, str(self.to), "out")

    async def _carry(self, sock: socket.socket, _host: str, _port: int) -> None:
        outlet, record = self._outlet, self._record()

        async def open_stream() -> Stream:
            stream = await outlet.open_stream(self.to)
            outlet.registry.identify(record, outlet.identity)  # it may have been nobody yet
            return stream

        await carry(sock, open_stream, record, outlet.registry, outlet.limits)

    async def _open_channel(self, _address: Address) -> MessageChannel:
        return await self._outlet.open_udp(self.to.host, self.to.port)
