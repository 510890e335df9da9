"""A client that speaks the control protocol by hand, to say what no client should.

Owns: its control channel. May not know: what it is used for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import fastmux
from fastmux import PLAINTEXT, portmux
from fastmux import constants as c
from fastmux.portmux import messages as m
from fastmux.portmux.greeting import greet
from fastmux.portmux.handshake import ExportingTls
from fastmux.portmux.terms import make_terms
from portmux.ends import HOST, end


@dataclass
class Half:
    """The control connection and channel of the client, and the server's end."""

    control: fastmux.Connection
    channel: fastmux.MessageChannel
    server: portmux.PortConnection
    listener: portmux.PortServer

    async def say(self, message: m.Message) -> None:
        """Send one control message."""
        await self.channel.send(m.encode(message))

    async def hear(self) -> m.Message:
        """The server's next control message."""
        return m.decode(await self.channel.receive())

    async def open(self, channel_id: int) -> int:
        """Ask for a port and give it."""
        await self.say(m.Open(channel_id))
        answer = await self.hear()
        assert isinstance(answer, m.Port) and answer.channel_id == channel_id
        return answer.port


@asynccontextmanager
async def half_client(*, max_ports: int = 4, max_total_ports: int = 100) -> AsyncIterator[Half]:
    """A server of ports with one such client."""
    accepted: asyncio.Future[portmux.PortConnection] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def handler(connection: portmux.PortConnection) -> None:
        accepted.set_result(connection)
        await over.wait()

    async with portmux.listen(
        handler, HOST, 0, tls=PLAINTEXT, max_ports=max_ports, max_total_ports=max_total_ports
    ) as server:
        control = await fastmux.connect(HOST, server.port, tls=ExportingTls(PLAINTEXT))
        channel = await control.open_message_channel(c.PORTMUX_LABEL)
        await greet(channel, make_terms(max_ports))
        served = await accepted
        try:
            yield Half(control, channel, served, server)
        finally:
            channel.reset()
            control.abort()
            await end(served)
            over.set()
