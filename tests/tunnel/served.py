"""A service on loopback with real certificates, clients of it, and a target behind it.

Owns: how they are put together and taken apart. May not know: what a test does with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import fastmux
from fastmux.aio.answers import read_answer
from fastmux.exceptions import ConnectionClosed
from fastmux.tunnel.access.access import Access
from fastmux.tunnel.access.rules import parse_rule
from fastmux.tunnel.control.stream_clients import StreamClients
from fastmux.tunnel.forwarding.wire import label_of
from fastmux.tunnel.notation.targets import Target
from fastmux.tunnel.server.service import Service
from fastmux.tunnel.settings.credentials import Credentials
from fastmux.tunnel.settings.settings import Policy


def credentials(keys: Path, name: str) -> Credentials:
    """The files of "server", "client" or "other"."""
    return Credentials(str(keys / f"{name}.pem"), str(keys / f"{name}.key"), str(keys / "ca.pem"))


def policy(*rules: str, limit: int | None = None, limit_per_identity: int | None = None) -> Policy:
    """A policy of these rules."""
    return Policy(Access([parse_rule(rule) for rule in rules]), limit, limit_per_identity)


@dataclass
class Served:
    """A running service."""

    service: Service
    server: fastmux.Server
    keys: Path
    connections: list[fastmux.Connection] = field(default_factory=list)

    async def connect(self, name: str = "client") -> fastmux.Connection:
        """A connection of a client."""
        tls = credentials(self.keys, name).tls()
        self.connections.append(await fastmux.connect("127.0.0.1", self.server.port, tls=tls))
        return self.connections[-1]

    async def refused(self, name: str = "client") -> ConnectionClosed:
        """Why a client is closed as soon as it is connected: `connect` may have heard of it already."""
        try:
            connection = await self.connect(name)
            await connection.wait_closed()
            await connection.open_stream()
        except ConnectionClosed as error:
            return error
        raise AssertionError("a connection that is over took a stream")


@asynccontextmanager
async def served(keys: Path, first: Policy) -> AsyncIterator[Served]:
    """Serve by a policy; everything is cut off at the end."""
    service = Service(first)
    tls = credentials(keys, "server").tls()
    async with fastmux.listen(service.handle, "127.0.0.1", 0, tls=tls, close_timeout=5) as server:
        world = Served(service, server, keys)
        try:
            yield world
        finally:
            for connection in world.connections:
                connection.abort()


@asynccontextmanager
async def echo_target() -> AsyncIterator[int]:
    """A TCP server that sends back what it gets, and ends when its client ends; gives its port."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    clients = StreamClients(echo)
    server = await asyncio.start_server(clients.serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await clients.close()
        await server.wait_closed()


async def open_tcp(connection: fastmux.Connection, port: int, host: str = "127.0.0.1") -> fastmux.Stream:
    """A stream to a TCP target behind the server, answered. Raises OpenRefused."""
    stream = await connection.open_stream(label_of(Target("tcp", host, port)))
    try:
        await read_answer(stream)
    except BaseException:
        stream.reset()
        raise
    return stream


async def echoes(stream: fastmux.Stream, data: bytes = b"hello") -> bool:
    """Whether the target sends back what it gets."""
    await stream.send(data)
    received = b""
    while len(received) < len(data):
        received += await stream.receive()
    return received == data
