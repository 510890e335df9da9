"""Two ends of a tunnel in one process, and sockets to go in and come out.

Owns: how they are put together and taken apart. The fastmux connection is in memory; the sockets outside are
real, on 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from aio.link import Link
from aio.pair import Pair, pair
from fastmux.aio.connection import Connection
from fastmux.protocol.events import Address
from fastmux.protocol.handshake import PeerIdentity
from fastmux.tunnel.access.access import Access, AccessDenied
from fastmux.tunnel.forwarding.counters import ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.exit import AcceptedHandler, Exit
from fastmux.tunnel.forwarding.outlet import Outlet
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.reverse import Reverse


def _uvloop() -> asyncio.AbstractEventLoop:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class BlindLoop(asyncio.SelectorEventLoop):
    """A loop that reads and writes sockets by itself, and cannot watch them for others: as on Windows."""

    def add_reader(self, *_: object) -> None:
        raise NotImplementedError

    def add_writer(self, *_: object) -> None:
        raise NotImplementedError


on_loops = pytest.mark.parametrize(
    "loop_factory", [asyncio.SelectorEventLoop, _uvloop], ids=["asyncio", "uvloop"]
)
on_all_loops = pytest.mark.parametrize(
    "loop_factory", [asyncio.SelectorEventLoop, _uvloop, BlindLoop], ids=["asyncio", "uvloop", "blind"]
)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected TCP sockets, non-blocking: the client's and the server's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


async def read_all(sock: socket.socket) -> bytes:
    """Everything until the peer's end. Raises ConnectionResetError if it was reset."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    while chunk := await loop.sock_recv(sock, 65536):
        data += chunk
    return bytes(data)


async def open_tcp(port: int) -> socket.socket:
    """A connection to a local port."""
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock


async def until(condition: Callable[[], bool]) -> None:
    """Let everybody go on until something is so."""
    while not condition():
        await asyncio.sleep(0.001)


class Loopback(Access):
    """Allows what is on 127.0.0.1 or in `paths`, and no port in `denied`."""

    def __init__(self, denied: Sequence[int] = ()) -> None:
        super().__init__(())
        self.denied = denied
        self.asked: list[tuple[str, str, int]] = []

    async def resolve(
        self, peer: PeerIdentity, protocol: str, host: str, port: int
    ) -> list[tuple[int, Address]]:
        self.asked.append((protocol, host, port))
        if host != "127.0.0.1" or port in self.denied:
            raise AccessDenied(f"no rule for {host}:{port}", f"{port} is not allowed")
        return [(socket.AF_INET, (host, port))]

    def check_unix(self, peer: PeerIdentity, path: str) -> None:
        if "secret" in path:
            raise AccessDenied("no rule for the path", "that path is not allowed")

    def check_listen(self, peer: PeerIdentity, protocol: str, host: str, port: int) -> None:
        if host != "127.0.0.1" or port in self.denied:
            raise AccessDenied(f"no rule to listen at {host}:{port}", "listening there is not allowed")

    def check_listen_unix(self, peer: PeerIdentity, path: str) -> None:
        self.check_unix(peer, path)


@dataclass
class Registry(ChannelRegistry):
    """Remembers how channels ended."""

    outcomes: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def close(self, record: ChannelRecord, outcome: str = "closed") -> None:
        if record in self.records():
            self.outcomes.append((record.kind, record.target, outcome))
        super().close(record, outcome)

    async def ended(self, number: int = 1) -> list[str]:
        """Wait until so many channels have ended; returns all outcomes."""
        await until(lambda: len(self.outcomes) >= number)
        return [outcome for _, _, outcome in self.outcomes]


@dataclass
class Tunnel:
    """A client's end with an outlet and listeners at the far end, and the exit that serves it."""

    pair: Pair
    exit: Exit
    outlet: Outlet
    reverse: Reverse
    here: Registry
    there: Registry


@asynccontextmanager
async def tunnel(
    access: Access | None = None,
    *,
    limits: Sequence[RateLimit] = (),
    max_sockets: int = 256,
    accepted: AcceptedHandler | None = None,
) -> AsyncIterator[Tunnel]:
    """Both ends of a tunnel; `access` are the rules of the exit, those of `Loopback` by default.

    `accepted` takes what listeners at the far end accept, in place of the tunnel's own `Reverse`.
    """
    async with pair(link=Link(delay=0.0)) as ends:
        here, there = Registry(), Registry()
        exit_ = Exit(ends.server, access or Loopback(), there, max_sockets=max_sockets)
        reverse = Reverse(here)
        client = Exit(ends.client, None, here, accepted=accepted or reverse.serve_accepted)
        jobs = [exit_.run(), client.run(), reverse.run(ends.client)]
        tasks = [asyncio.ensure_future(job) for job in jobs]

        async def connection() -> Connection:
            return ends.client

        try:
            yield Tunnel(ends, exit_, Outlet(connection, here, limits), reverse, here, there)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def tcp_server(handler: Callable[[socket.socket], Awaitable[None]]) -> AsyncIterator[int]:
    """A TCP server on 127.0.0.1 whose handler gets each socket, closed behind it; gives its port."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(sock: socket.socket) -> None:
        with sock, suppress(ConnectionError):
            await handler(sock)

    async def accept(listening: socket.socket) -> None:
        while True:
            sock, _ = await loop.sock_accept(listening)
            task = asyncio.create_task(handle(sock))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        accepting = asyncio.create_task(accept(listening))
        try:
            yield int(listening.getsockname()[1])
        finally:
            accepting.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(accepting, *tasks, return_exceptions=True)


async def echo(sock: socket.socket) -> None:
    """Send everything back, the end too."""
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(sock, 65536):
        await loop.sock_sendall(sock, data)
    sock.shutdown(socket.SHUT_WR)
