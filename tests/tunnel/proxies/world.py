"""A tunnel in memory and local clients on loopback sockets, for tests of both proxies.

Owns: an outlet that opens streams over a real connection without a network, and whose refusals tests decide.
Everything runs on the clock of the running loop.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from aio.pair import Pair, pair
from fastmux.aio.connection import Connection
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.stream import Stream
from fastmux.exceptions import EndOfStream
from fastmux.tunnel.forwarding.counters import ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.outlet import Outlet
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.notation.targets import Target
from fastmux.tunnel.proxies.client_socket import ClientSocket
from fastmux.tunnel.proxies.listener import ProxyListener

LOOPBACK = Target("tcp", "127.0.0.1", 0)


class FakeOutlet(Outlet):
    """Opens channels without asking whoever is at the far end; raises `error` instead if it is set."""

    def __init__(
        self, connection: Connection, registry: ChannelRegistry, limits: Sequence[RateLimit] = ()
    ) -> None:
        async def get_connection() -> Connection:
            return connection

        super().__init__(get_connection, registry, limits)
        self._connection = connection
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @property
    def identity(self) -> str:
        return "far"

    async def open_tcp(self, host: str, port: int) -> Stream:
        await self._ask(f"{host} {port}")
        return await self._connection.open_stream(f"{host} {port}")

    async def open_udp(self, host: str, port: int) -> MessageChannel:
        await self._ask(f"{host} {port}/udp")
        return await self._connection.open_message_channel(f"{host} {port}", ordered=False, reliable=False)

    async def _ask(self, target: str) -> None:
        self.asked.append(target)
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error


class RecordingRegistry(ChannelRegistry):
    """Remembers how channels ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[tuple[str, str, str]] = []
        self.sizes: list[tuple[int, int]] = []

    def close(self, record: ChannelRecord, outcome: str = "closed") -> None:
        super().close(record, outcome)
        self.ended.append((record.kind, record.target, outcome))
        self.sizes.append((record.sent_size, record.received_size))


class World:
    """An outlet, and the far end of what it opens."""

    def __init__(self, ends: Pair, limits: Sequence[RateLimit]) -> None:
        self._ends = ends
        self.registry = RecordingRegistry()
        self.outlet = FakeOutlet(ends.client, self.registry, limits)

    async def accept(self) -> Stream:
        """The far end of the next stream."""
        stream = await self._ends.server.accept()
        assert isinstance(stream, Stream)
        return stream

    async def accept_udp(self) -> MessageChannel:
        """The far end of the next message channel."""
        channel = await self._ends.server.accept()
        assert isinstance(channel, MessageChannel)
        return channel


@asynccontextmanager
async def world(limits: Sequence[RateLimit] = ()) -> AsyncIterator[World]:
    """A running tunnel."""
    async with pair() as ends:
        yield World(ends, limits)


class Client:
    """A program that uses a proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    @property
    def port(self) -> int:
        """Its own port."""
        port: int = self.writer.get_extra_info("sockname")[1]
        return port

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def send_bytewise(self, data: bytes) -> None:
        """Send each byte by itself; they arrive one by one."""
        for at in range(len(data)):
            await self.send(data[at : at + 1])
            await asyncio.sleep(0.001)

    async def receive(self, size: int) -> bytes:
        return await self._reader.readexactly(size)

    async def until(self, end: bytes) -> bytes:
        return await self._reader.readuntil(end)

    async def some(self) -> bytes:
        """What is there, b"" at the end."""
        return await self._reader.read(65_536)

    async def rest(self) -> bytes:
        """Everything up to the end; raises ConnectionResetError if it is none."""
        return await self._reader.read()

    def reset(self) -> None:
        """Leave without an end: the other side gets a reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected TCP sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        mine = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
    return mine, theirs


@asynccontextmanager
async def client_of(server: ProxyListener, *, local_host: str | None = None) -> AsyncIterator[Client]:
    """A client that is served; at the end it leaves, and the server's task must end by itself.

    `local_host` is what the server takes for its own address.
    """
    mine, theirs = tcp_pair()
    accepted = ClientSocket(theirs, "127.0.0.1")
    accepted.local_host = local_host or accepted.local_host

    async def serve() -> None:
        try:
            with suppress(OSError):
                await server.serve_client(accepted)
        finally:
            await accepted.reset()

    serving = asyncio.create_task(serve())
    reader, writer = await asyncio.open_connection(sock=mine)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        async with asyncio.timeout(1000):
            await serving


async def receive_exactly(stream: Stream, size: int) -> bytes:
    """So many bytes of a stream."""
    data = b""
    while len(data) < size:
        data += await stream.receive(size - len(data))
    return data


async def receive_all(stream: Stream) -> bytes:
    """Everything up to the stream's end."""
    data = b""
    try:
        while True:
            data += await stream.receive()
    except EndOfStream:
        return data


def names_that_are_resolved(monkeypatch: pytest.MonkeyPatch) -> set[object]:
    """Filled with every host that this process asks the resolver for from now on."""
    names: set[object] = set()
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: Any, **options: Any) -> Any:
        names.add(host)
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "gethostbyname", names.add)
    return names
