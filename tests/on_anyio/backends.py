"""Runs async tests on an event loop of anyio's, and makes two connected ends on it.

Owns: how they are put together over real sockets on loopback. May not know: what is tested.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Unpack

import anyio

from fastmux import PLAINTEXT
from fastmux.aio.settings import Settings
from fastmux.anyio import ByteStream, Connection, UnreliableObjectStream, connect, listen


@dataclass(frozen=True)
class Backend:
    """One event loop by name."""

    name: str

    def run(self, main: Callable[[], Awaitable[None]]) -> None:
        """Run to the end, at most 30 seconds."""

        async def limited() -> None:
            with anyio.fail_after(30):
                await main()

        library = "trio" if self.name == "trio" else "asyncio"
        options = {"use_uvloop": self.name == "uvloop"} if library == "asyncio" else {}
        anyio.run(limited, backend=library, backend_options=options)


@dataclass
class Pair:
    """Both ends of one connection."""

    client: Connection
    server: Connection

    async def stream(self, label: str = "") -> tuple[ByteStream, ByteStream]:
        """Both ends of a new stream, opened by the client."""
        mine = await self.client.open_stream(label)
        theirs = await self.server.accept()
        assert isinstance(theirs, ByteStream)
        return mine, theirs

    async def object_stream(
        self, ordered: bool = True
    ) -> tuple[UnreliableObjectStream, UnreliableObjectStream]:
        """Both ends of a new message channel, opened by the client."""
        mine = await self.client.open_message_channel(ordered=ordered)
        theirs = await self.server.accept()
        assert isinstance(theirs, UnreliableObjectStream)
        return mine, theirs


@asynccontextmanager
async def pair(**settings: Unpack[Settings]) -> AsyncIterator[Pair]:
    """A client's connection and the server's; both are aborted at the end."""
    accepted: list[Connection] = []
    is_accepted, is_over = anyio.Event(), anyio.Event()

    async def handler(connection: Connection) -> None:
        accepted.append(connection)
        is_accepted.set()
        await is_over.wait()

    async with (
        listen(handler, "127.0.0.1", 0, tls=PLAINTEXT, **settings) as server,
        connect("127.0.0.1", server.port, tls=PLAINTEXT, **settings) as client,
    ):
        await is_accepted.wait()
        ends = Pair(client, accepted[0])
        try:
            yield ends
        finally:
            ends.client.abort()
            ends.server.abort()
            is_over.set()
