"""UDP ASSOCIATE: one client's socket for datagrams, and a flow for each destination (RFC 1928 §7).

Owns: the socket, and who may use it. May not know: the TCP connection with which it ends. Datagrams are taken
from the client's address only and, after the first good one, from its port only.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence

from fastmux.protocol.events import Address
from fastmux.tunnel import constants as c
from fastmux.tunnel.forwarding.counters import ChannelRegistry
from fastmux.tunnel.forwarding.datagram_socket import DatagramSocket
from fastmux.tunnel.forwarding.outlet import Outlet
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.udp_flows import UdpFlows
from fastmux.tunnel.socks.addresses import SocksAddress
from fastmux.tunnel.socks.datagrams import datagram_header, decode_datagram
from fastmux.tunnel.socks.errors import SocksError

logger = logging.getLogger("fastmux.tunnel.socks")


class Association:
    """One client's association.

    Invariant: its flows are at most MAX_UDP_DESTINATIONS; the one that was used least recently makes room.
    """

    def __init__(
        self,
        local_host: str,
        client_host: str,
        outlet: Outlet,
        registry: ChannelRegistry,
        limits: Sequence[RateLimit],
    ) -> None:
        """Bind a socket at `local_host`, for a client at `client_host`. Raises OSError."""
        family = socket.AF_INET6 if ":" in local_host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((local_host, 0))
        except BaseException:
            sock.close()
            raise
        name = sock.getsockname()
        self.bound = SocksAddress(name[0], name[1])
        self._socket = DatagramSocket(sock)
        self._client_host = client_host
        self._client: Address | None = None
        self._flows: UdpFlows[SocksAddress] = UdpFlows(
            lambda address: outlet.open_udp(address.host, address.port),
            self._deliver,
            lambda address: registry.open(outlet.identity, "socks5", f"{address}/udp", "out"),
            registry,
            limits,
            max_flows=c.MAX_UDP_DESTINATIONS,
            idle_timeout=c.SOCKS_UDP_IDLE_TIMEOUT,
        )

    async def run(self) -> None:
        """Send on what the client sends, until cancelled; then everything is closed."""
        try:
            while True:
                for data, sender in await self._socket.receive():
                    self._forward(data, sender)
                await asyncio.sleep(0)  # one that sends without a pause does not hold up the others
        finally:
            self._socket.close()
            await self._flows.close()

    def _forward(self, data: bytes, sender: Address) -> None:
        if sender[0] != self._client_host or (self._client is not None and sender != self._client):
            return
        try:
            address, payload = decode_datagram(data)
        except SocksError as error:
            logger.debug("a datagram of %s was dropped: %s", self._client_host, error)
            return
        self._client = sender
        self._flows.send(payload, address)

    def _deliver(self, payload: bytes, source: SocksAddress) -> None:
        """Something came back; without room in the socket it is dropped."""
        if self._client is not None:
            self._socket.send(datagram_header(source) + payload, self._client)
