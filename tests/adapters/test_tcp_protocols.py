"""Protocols that were written for TCP run unchanged: the same code over a socket and over a stream."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from adapters.ends import LoopFactory, connected, run

Connect = Callable[[Any], Awaitable[tuple[asyncio.BaseTransport, Any]]]


class HashServer(asyncio.Protocol):
    """Answers the end of what it was sent with the hash of it, and echoes lines before that."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.hash = hashlib.sha256()

    def data_received(self, data: bytes) -> None:
        self.hash.update(data)

    def eof_received(self) -> bool:
        self.transport.write(self.hash.digest())
        self.transport.close()
        return True


class Upload(asyncio.Protocol):
    """Sends `pieces` as fast as it is allowed to, then reads the answer to its end."""

    def __init__(self, pieces: int) -> None:
        self.left = pieces
        self.answer = bytearray()
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.send()

    def send(self) -> None:
        while self.left and not self.is_paused:
            self.left -= 1
            self.transport.write(bytes([self.left % 256]) * 10_000)
        if not self.left:
            self.transport.write_eof()

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        self.send()

    def data_received(self, data: bytes) -> None:
        self.answer += data

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self.done.set_result(bytes(self.answer))
        else:
            self.done.set_exception(exc)


@asynccontextmanager
async def over_tcp(factory: Callable[[], asyncio.Protocol]) -> AsyncIterator[Connect]:
    loop = asyncio.get_running_loop()
    async with await loop.create_server(factory, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield lambda client: loop.create_connection(client, "127.0.0.1", port)


@asynccontextmanager
async def over_fastmux(factory: Callable[[], asyncio.Protocol]) -> AsyncIterator[Connect]:
    async with connected() as (near, far), await far.create_server(factory, "127.0.0.1", 80):
        yield lambda client: near.create_connection(client, "127.0.0.1", 80)


@pytest.mark.parametrize("world", [over_tcp, over_fastmux])
def test_an_upload_is_answered_with_its_hash(loop_factory: LoopFactory, world: Any) -> None:
    async def main() -> None:
        async with world(HashServer) as connect:
            expected = hashlib.sha256(b"".join(bytes([n % 256]) * 10_000 for n in reversed(range(1000))))
            uploads = [await connect(lambda: Upload(1000)) for _ in range(3)]
            for _, protocol in uploads:
                assert await protocol.done == expected.digest()

    run(loop_factory, main)
