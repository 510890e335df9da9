"""Two connected ends of the real aio stack over a link in memory, without encryption.

Owns: how they are put together and taken apart. Everything runs on the clock of the running loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Unpack

from aio.link import Link, LinkTransport
from fastmux import PLAINTEXT
from fastmux.aio.client import open_connection
from fastmux.aio.connection import Connection
from fastmux.aio.driver import Driver
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.server import Handler, Server
from fastmux.aio.settings import Settings
from fastmux.aio.stream import Stream
from fastmux.protocol.configuration import Configuration


@dataclass
class World:
    """A server on a link, to which clients can connect."""

    link: Link
    server: Server
    server_transport: LinkTransport
    configuration: Configuration
    clients: int = 0

    def driver(self) -> Driver:
        """A client's driver with an address of its own."""
        self.clients += 1
        transport = self.link.attach(f"client-{self.clients}")
        return Driver(transport, self.configuration, clock=asyncio.get_running_loop().time)

    async def connect(self) -> Connection:
        """A client's connection."""
        handshake = PLAINTEXT.create_handshake(True, "server")
        return await open_connection(self.driver(), self.server_transport.sockname, handshake)


@asynccontextmanager
async def world(
    handler: Handler,
    *,
    link: Link | None = None,
    close_timeout: float = 10,
    **settings: Unpack[Settings],
) -> AsyncIterator[World]:
    """A running server."""
    link = link or Link()
    configuration = Configuration(**settings)
    server = Server(handler, PLAINTEXT, configuration, close_timeout)
    transport = link.attach("server")
    server.serve(transport, clock=asyncio.get_running_loop().time)
    try:
        yield World(link, server, transport, configuration)
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class Pair:
    """Both ends of one connection."""

    client: Connection
    server: Connection
    world: World

    async def stream(self, label: str = "") -> tuple[Stream, Stream]:
        """Both ends of a new stream, opened by the client."""
        mine = await self.client.open_stream(label)
        theirs = await self.server.accept()
        assert isinstance(theirs, Stream)
        return mine, theirs

    async def message_channel(self) -> tuple[MessageChannel, MessageChannel]:
        """Both ends of a new message channel, opened by the client."""
        mine = await self.client.open_message_channel()
        theirs = await self.server.accept()
        assert isinstance(theirs, MessageChannel)
        return mine, theirs


@asynccontextmanager
async def pair(*, link: Link | None = None, **settings: Unpack[Settings]) -> AsyncIterator[Pair]:
    """A client's connection and the server's; both are aborted at the end."""
    accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    is_over = asyncio.Event()

    async def handler(connection: Connection) -> None:
        accepted.set_result(connection)
        await is_over.wait()

    async with world(handler, link=link, **settings) as w:
        client = await w.connect()
        ends = Pair(client, await accepted, w)
        try:
            yield ends
        finally:
            ends.client.abort()
            ends.server.abort()
            is_over.set()
