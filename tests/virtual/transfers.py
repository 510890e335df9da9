"""A server and a client on two hosts of a world, and data that goes between them.

Owns: the usual scene: real `listen` and `connect`, a stream whose receiver answers with its hash. May not
know: what is wrong with the world.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any, Final

from fastmux import PLAINTEXT, Connection, Stream, connect, listen
from fastmux.aio.client import HandshakeMaker
from fastmux.aio.server import Server
from network.conditions import Conditions
from virtual.host import Host
from virtual.world import World

MEGABYTE: Final = 1_000_000
# 10 Mbit/s, Ethernet's MTU and a round trip of 30 ms, with room for a quarter of a second in the queue.
USUAL: Final = Conditions(delay=0.015, rate=1_250_000.0, queue_size=320_000, mtu=((0.0, 1472),))
# 1 Gbit/s next door: what a process on the same machine or network sees.
NEAR: Final = Conditions(delay=0.0002, rate=125_000_000.0, queue_size=4_000_000)


def content(size: int, seed: int = 0) -> bytes:
    """So many bytes that look like nothing else."""
    return Random(f"content {seed}").randbytes(size)


async def answer_with_hash(channel: Any) -> None:
    """Read a stream to its end and answer with the hash of it."""
    assert isinstance(channel, Stream)
    digest = sha256()
    async for chunk in channel:
        digest.update(chunk)
    await channel.send(digest.digest())


async def serve_hashes(connection: Connection) -> None:
    """Do so for every stream of a connection."""
    await connection.serve(answer_with_hash)


async def upload(connection: Connection, data: bytes) -> None:
    """Send all of it and see that the far end has got just that."""
    async with await connection.open_stream() as stream:
        await stream.send(data)
        await stream.send_eof()
        answer = b"".join([chunk async for chunk in stream])
    assert answer == sha256(data).digest()


@dataclass
class Scene:
    """A world with `near`, the client's host, and `far`, the server's, which listens."""

    world: World
    tls: tuple[HandshakeMaker, HandshakeMaker] = (PLAINTEXT, PLAINTEXT)  # the client's, the server's
    settings: dict[str, Any] = field(default_factory=dict)
    handler: Callable[[Connection], Awaitable[None]] = serve_hashes
    watches: bool = True  # whether the loops have `add_reader`

    def __post_init__(self) -> None:
        self.near: Host = self.world.host()
        self.far: Host = self.world.host()
        self.near.may_watch = self.far.may_watch = self.watches
        self.server: Server = self.world.run(self.far, self._listen())
        self.world.closers.append(lambda: self.world.run(self.far, self.close_server()))

    async def _listen(self) -> Server:
        return await listen(self.handler, self.far.ip, 4433, tls=self.tls[1], **self.settings)

    def open(self, **settings: Any) -> Connection:
        """A connection of the client's host."""

        async def main() -> Connection:
            return await connect(self.far.ip, 4433, tls=self.tls[0], **{**self.settings, **settings})

        return self.world.run(self.near, main())

    def upload(self, connection: Connection, size: int, timeout: float = 600.0) -> float:
        """Send so many bytes to the server, checked by their hash: how long it took."""
        started_at = self.world.now
        self.world.run(self.near, upload(connection, content(size)), timeout)
        return self.world.now - started_at

    def start_upload(self, connection: Connection, size: int) -> asyncio.Task[None]:
        """Begin that and return at once."""
        return self.world.start(self.near, upload(connection, content(size)))

    def close(self, connection: Connection) -> None:
        """Close the connection and the server, and see that nothing is left of either."""
        self.world.run(self.near, connection.aclose())
        self.world.run(self.far, self.close_server())
        self.world.run_for(60.0)  # three probe timeouts, however slow the handshake was
        self.check_nothing_is_left()

    async def close_server(self) -> None:
        self.server.close()
        await self.server.wait_closed()

    def check_nothing_is_left(self) -> None:
        """No task, timer, socket or unheard error of either host."""
        for host in (self.near, self.far):
            assert host.sockets == {}
            assert asyncio.all_tasks(host.loop) == set()
            assert host.loop.live_timers() == []
        assert self.world.reports() == [], self.world.reports()
