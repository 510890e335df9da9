"""Two connected ends of the real stack on trio over a link in memory, without encryption, in virtual time.

Owns: how they are put together and taken apart.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ParamSpec, Unpack

import trio
import trio.testing

from aio.link import Link, LinkTransport
from fastmux import PLAINTEXT
from fastmux.aio.client import open_connection
from fastmux.aio.settings import Settings
from fastmux.protocol.configuration import Configuration
from fastmux.trio import Connection, MessageChannel, Server, Stream
from fastmux.trio.driver import TrioDriver
from fastmux.trio.loop import running_loop
from fastmux.trio.server import Handler

P = ParamSpec("P")


def on_trio(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async test on trio with a clock that jumps to the next deadline."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio.run(functools.partial(test, *args, **kwargs), clock=clock)

    return run


@dataclass
class World:
    """A server on a link, to which clients can connect."""

    link: Link
    server: Server
    server_transport: LinkTransport
    configuration: Configuration
    clients: int = 0

    async def connect(self) -> Connection:
        """A client's connection."""
        self.clients += 1
        transport = self.link.attach(f"client-{self.clients}")
        driver = TrioDriver(transport, self.configuration)
        handshake = PLAINTEXT.create_handshake(True, "server")
        return Connection(await open_connection(driver, self.server_transport.sockname, handshake))


@asynccontextmanager
async def world(
    handler: Handler, *, close_timeout: float = 10, **settings: Unpack[Settings]
) -> AsyncIterator[World]:
    """A running server."""
    link = Link(loop=running_loop())
    configuration = Configuration(**settings)
    async with trio.open_nursery() as nursery:
        server = Server(handler, PLAINTEXT, configuration, nursery)
        transport = link.attach("server")
        server.serve(transport)
        try:
            yield World(link, server, transport, configuration)
            await server.finish(close_timeout)
        finally:
            nursery.cancel_scope.cancel()
    server.close_drivers()


@dataclass
class Pair:
    """Both ends of one connection."""

    client: Connection
    server: Connection

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
async def pair(**settings: Unpack[Settings]) -> AsyncIterator[Pair]:
    """A client's connection and the server's; both are aborted at the end."""
    accepted: list[Connection] = []
    is_accepted, is_over = trio.Event(), trio.Event()

    async def handler(connection: Connection) -> None:
        accepted.append(connection)
        is_accepted.set()
        await is_over.wait()

    async with world(handler, **settings) as w:
        client = await w.connect()
        await is_accepted.wait()
        ends = Pair(client, accepted[0])
        try:
            yield ends
        finally:
            ends.client.abort()
            ends.server.abort()
            is_over.set()
