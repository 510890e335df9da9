"""Two connected ends on the loopback, by header or by port: what holds for one way must hold for the other.

Owns: how they are put together and taken apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Unpack

import fastmux
from fastmux import PLAINTEXT, portmux
from fastmux.aio.client import HandshakeMaker
from fastmux.aio.settings import Settings
from fastmux.portmux import PortConnection, PortServer

Way = Literal["header", "port"]
HOST = "127.0.0.1"


@dataclass
class Ends:
    """Both ends of a connection."""

    client: fastmux.Connection | PortConnection
    server: fastmux.Connection | PortConnection

    async def streams(self, label: str = "") -> tuple[fastmux.Stream, fastmux.Stream]:
        """Both ends of a new stream that the client opened."""
        mine = await self.client.open_stream(label)
        theirs = await self.server.accept()
        assert isinstance(theirs, fastmux.Stream)
        return mine, theirs

    async def message_channels(self) -> tuple[fastmux.MessageChannel, fastmux.MessageChannel]:
        """Both ends of a new message channel that the client opened."""
        mine = await self.client.open_message_channel()
        theirs = await self.server.accept()
        assert isinstance(theirs, fastmux.MessageChannel)
        return mine, theirs


@dataclass
class PortEnds:
    """Both ends of a connection by ports, and its server."""

    client: PortConnection
    server: PortConnection
    listener: PortServer

    async def streams(self, label: str = "") -> tuple[portmux.PortStream, portmux.PortStream]:
        """Both ends of a new stream that the client opened."""
        mine = await self.client.open_stream(label)
        theirs = await self.server.accept()
        assert isinstance(theirs, portmux.PortStream)
        return mine, theirs


@asynccontextmanager
async def ends(way: Way, **settings: Unpack[Settings]) -> AsyncIterator[Ends]:
    """A connection; both ends are aborted at the end."""
    if way == "port":
        async with port_ends(**settings) as found:
            yield Ends(found.client, found.server)
        return
    accepted: asyncio.Future[fastmux.Connection] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def handler(connection: fastmux.Connection) -> None:
        accepted.set_result(connection)
        await over.wait()

    async with fastmux.listen(handler, HOST, 0, tls=PLAINTEXT, **settings) as server:
        client = await fastmux.connect(HOST, server.port, tls=PLAINTEXT, **settings)
        found_here = Ends(client, await accepted)
        try:
            yield found_here
        finally:
            client.abort()
            found_here.server.abort()
            over.set()


@asynccontextmanager
async def port_ends(
    *,
    tls: tuple[HandshakeMaker, HandshakeMaker] = (PLAINTEXT, PLAINTEXT),
    max_ports: int = 8,
    ports: range = range(0),
    max_total_ports: int = 100,
    **settings: Unpack[Settings],
) -> AsyncIterator[PortEnds]:
    """A connection by ports; `tls` are those of client and server. Both ends are aborted at the end."""
    accepted: asyncio.Future[PortConnection] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def handler(connection: PortConnection) -> None:
        accepted.set_result(connection)
        await over.wait()

    listening = portmux.listen(
        handler,
        HOST,
        0,
        tls=tls[1],
        ports=ports,
        max_ports=max_ports,
        max_total_ports=max_total_ports,
        **settings,
    )
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(listening)
        stack.callback(over.set)
        client = await portmux.connect(HOST, server.port, tls=tls[0], max_ports=max_ports, **settings)
        stack.push_async_callback(end, client)
        served = await accepted
        stack.push_async_callback(end, served)
        yield PortEnds(client, served, server)


async def end(connection: PortConnection) -> None:
    """Abort a connection and wait until that is done."""
    connection.abort()
    await connection.wait_closed()


async def until(condition: object, timeout: float = 10.0) -> None:
    """Let the loop turn until `condition()` holds."""
    assert callable(condition)
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.001)
