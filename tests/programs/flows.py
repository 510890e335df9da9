"""Two kinds of flow that share a link, each end a process: the kernel's TCP, and fastmux with TLS both ways.

    python -m programs.flows tcp-source HOST PORT                     pours into one client, by CUBIC
    python -m programs.flows tcp-sink HOST PORT                       reads without end
    python -m programs.flows serve HOST PORT FOLDER CONTROLLER SIZE   sends SIZE bytes to one client
    python -m programs.flows fetch HOST PORT FOLDER CONTROLLER SIZE   sends SIZE bytes and takes what comes

Lines of JSON: what reads says `[moment, bytes so far]` each tenth of a second, moments of
`time.monotonic`, which is one clock for all processes of a machine. An end of fastmux says at last what
it got, and the path MTUs that it had, in their order. Owns: the flows. May not know: the link.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fastmux
from fastmux import Connection, EndOfStream, Stream
from fastmux.aio.settings import Settings

INTERVAL = 0.1
READY = "ready"
_LETTERS = bytes(range(256)) * 256
_TCP_CONGESTION = 13  # of linux/tcp.h; Python has the name only where libc's header had it


def content(size: int) -> Iterator[bytes]:
    """What a flow of fastmux carries: pieces that differ, so that a lost or a doubled one is seen."""
    number = 0
    while size > 0:
        piece = (number.to_bytes(8, "big") + _LETTERS)[: min(size, len(_LETTERS))]
        yield piece
        size -= len(piece)
        number += 1


def digest_of(size: int) -> str:
    """SHA-256 of that."""
    digest = hashlib.sha256()
    for piece in content(size):
        digest.update(piece)
    return digest.hexdigest()


class Intake:
    """Counts what comes and says so, at most each tenth of a second."""

    def __init__(self) -> None:
        self._size = 0
        self._told_at = 0.0

    def add(self, size: int) -> None:
        """So many more bytes have come."""
        self._size += size
        now = time.monotonic()
        if now >= self._told_at + INTERVAL:
            self._told_at = now
            self.tell()

    def tell(self) -> None:
        """Say how many came until now."""
        print(json.dumps([time.monotonic(), self._size]), flush=True)


def _by_cubic(sock: socket.socket) -> socket.socket:
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, b"cubic")
    given = sock.getsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, 16).rstrip(b"\0")
    if given != b"cubic":
        raise OSError(f"the kernel's TCP has {given!r}, not cubic")
    return sock


def pour(host: str, port: int) -> None:
    """The kernel's TCP sends to one client until that closes."""
    with socket.create_server((host, port)) as server:
        print(READY, flush=True)
        sock, _ = server.accept()
        with _by_cubic(sock), contextlib.suppress(ConnectionError):
            while True:
                sock.sendall(_LETTERS)


def drain(host: str, port: int) -> None:
    """The kernel's TCP reads until it is ended."""
    intake = Intake()
    with socket.create_connection((host, port)) as sock:
        while data := sock.recv(1 << 20):
            intake.add(len(data))


async def _send(connection: Connection, stream: Stream, size: int, mtus: list[int]) -> None:
    for piece in content(size):
        await stream.send(piece)
        if mtus[-1] != (mtu := connection.stats.mtu):
            mtus.append(mtu)
    await stream.send_eof()


async def _exchange(connection: Connection, stream: Stream, size: int) -> None:
    """Send `size` bytes, take what comes, and tell."""
    intake, digest, mtus = Intake(), hashlib.sha256(), [connection.stats.mtu]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_send(connection, stream, size, mtus))
        with contextlib.suppress(EndOfStream):
            while True:
                data = await stream.receive(1 << 20)
                digest.update(data)
                intake.add(len(data))
    intake.tell()
    stats = connection.stats
    print(
        json.dumps(
            {
                "sha256": digest.hexdigest(),
                "mtus": [*mtus, stats.mtu],
                "packets_sent": stats.packets_sent,
                "packets_lost": stats.packets_lost,
                "core": connection.get_extra_info("core"),
                "socket_path": connection.get_extra_info("socket_path"),
            }
        ),
        flush=True,
    )


def _tls(folder: Path, role: str, peer: str | None = None) -> fastmux.TLSConfig:
    files = (folder / f"{role}.pem", folder / f"{role}.key", folder / "ca.pem")
    return fastmux.TLSConfig(*files, server_hostname=peer)


async def serve(host: str, port: int, folder: Path, settings: Settings, size: int) -> None:
    """The server of one client."""
    done = asyncio.get_running_loop().create_future()

    async def handle(connection: Connection) -> None:
        stream = await connection.accept()
        assert isinstance(stream, Stream)
        await _exchange(connection, stream, size)
        await connection.wait_closed()
        done.set_result(None)

    async with fastmux.listen(handle, host, port, tls=_tls(folder, "server"), **settings):
        print(READY, flush=True)
        await done


async def fetch(host: str, port: int, folder: Path, settings: Settings, size: int) -> None:
    """The client."""
    tls = _tls(folder, "client", "localhost")
    async with fastmux.connect(host, port, tls=tls, **settings) as connection:
        await _exchange(connection, await connection.open_stream(), size)


def main(words: list[str]) -> None:
    """Be what the words say."""
    role, host, port = words[0], words[1], int(words[2])
    if role == "tcp-source":
        return pour(host, port)
    if role == "tcp-sink":
        return drain(host, port)
    act = {"serve": serve, "fetch": fetch}[role]
    settings: Settings = {"congestion": words[4]}
    asyncio.run(act(host, port, Path(words[3]), settings, int(words[5])))


if __name__ == "__main__":
    main(sys.argv[1:])
