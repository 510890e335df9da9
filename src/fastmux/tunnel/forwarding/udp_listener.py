"""A UDP socket whose peers each get a flow of their own.

Owns: the socket and the task that reads it. May not know: where the flows go.
"""

from __future__ import annotations

import asyncio
import logging

from fastmux.protocol.events import Address
from fastmux.tunnel.forwarding.binding import Bound
from fastmux.tunnel.forwarding.datagram_socket import DatagramSocket
from fastmux.tunnel.forwarding.udp_flows import UdpFlows

logger = logging.getLogger("fastmux.tunnel.listener")


class UdpListener:
    """Reads a bound socket into flows by the sender's address; has the face of `Acceptor`.

    Made in two steps, because flows need `deliver` and it needs the flows.
    """

    def __init__(self, bound: Bound) -> None:
        """Take the bound socket over."""
        self.target = bound.target
        self._bound = bound
        self._socket = DatagramSocket(bound.sock)
        self._flows: UdpFlows[Address] | None = None
        self._reading: asyncio.Task[None] | None = None

    def start(self, flows: UdpFlows[Address]) -> None:
        """Begin to read; the listener closes the flows."""
        self._flows = flows
        self._reading = asyncio.create_task(self._read(flows), name=f"fastmux listener {self.target}")
        self._reading.add_done_callback(lambda _: self._release())

    def deliver(self, data: bytes, address: Address) -> None:
        """Send what came back to a peer."""
        self._socket.send(data, address)

    def stop(self) -> None:
        """Take no more datagrams; flows cannot go on without the socket, so they end in `join`."""
        if self._reading is None:
            self._release()
        else:
            self._reading.cancel()

    async def join(self) -> None:
        """Wait until the flows have ended. For after `stop`."""
        if self._reading is not None:
            await asyncio.wait({self._reading})
        if self._flows is not None:
            await self._flows.close()

    async def close(self) -> None:
        """Take no more, and end the flows."""
        self.stop()
        await self.join()

    def _release(self) -> None:
        """Close the socket once nobody waits for it any more."""
        self._socket.close()
        self._bound.close()

    async def _read(self, flows: UdpFlows[Address]) -> None:
        try:
            while True:
                for data, address in await self._socket.receive():
                    flows.send(data, address)
                await asyncio.sleep(0)
        except OSError as error:
            logger.error("%s: the socket broke and is not read any more: %s", self.target, error)
