"""A transport that counts what the driver does with it, and a driver that has one."""

from __future__ import annotations

import asyncio

from aio.link import Link, LinkTransport
from fastmux.aio.driver import Driver
from fastmux.aio.transport import Row
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import Address


class CountingTransport(LinkTransport):
    """Counts what the driver does with it."""

    receives = 0
    sends = 0

    def receive(self) -> list[Row]:
        self.receives += 1
        return super().receive()

    def send(
        self,
        buffer: memoryview,
        size: int,
        segment_size: int,
        address: Address,
    ) -> None:
        self.sends += 1
        super().send(buffer, size, segment_size, address)


def make_driver() -> tuple[Driver, CountingTransport]:
    transport = CountingTransport(Link(), ("here", 1))
    loop = asyncio.get_running_loop()
    return Driver(transport, Configuration(), clock=loop.time), transport
