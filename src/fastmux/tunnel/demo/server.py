"""The far end of the demo: a listener that answers each channel by its label.

Owns: the server process. Says where it listens in one line of JSON on standard output and ends when its
standard input ends. May not know: who measures.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import json
import resource
import sys
import threading
from functools import partial
from pathlib import Path

import fastmux
from fastmux import core
from fastmux.tunnel.demo import baseline
from fastmux.tunnel.demo.workload import CHUNK_SIZE, add_message


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """The demo prints a table of its own."""


def start_http(directory: Path) -> int:
    """Serve `directory` by the standard library's HTTP server in a thread; returns its port."""
    handler = partial(_QuietHandler, directory=str(directory))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True, name="http").start()
    return int(server.server_address[1])


class DemoServer:
    """Answers the channels of one connection. `wake` lets the sleeping reader go on."""

    def __init__(self, http_port: int) -> None:
        self._http_port = http_port
        self._wake = asyncio.Event()

    async def handle(self, conn: fastmux.Connection) -> None:
        """Serve every channel that the client opens, each in a task of its own."""
        await conn.serve(partial(self._answer, conn))

    async def _answer(
        self, conn: fastmux.Connection, channel: fastmux.Stream | fastmux.MessageChannel
    ) -> None:
        if isinstance(channel, fastmux.MessageChannel):
            await self._hash_messages(channel)
            return
        match channel.label:
            case "ping":
                async for chunk in channel:
                    await channel.send(chunk)
            case "file":
                await self._hash_stream(channel)
            case "sleeper":
                await self._wake.wait()
                await self._hash_stream(channel)
            case "http":
                await self._forward(channel)
            case "control":
                await self._control(conn, channel)
            case _:
                channel.reset(fastmux.constants.REFUSED)

    async def _hash_stream(self, stream: fastmux.Stream) -> None:
        digest = hashlib.sha256()
        buffer = bytearray(CHUNK_SIZE)
        view = memoryview(buffer)
        try:
            while True:
                size = await stream.receive_into(buffer)
                digest.update(view[:size])
        except fastmux.EndOfStream:
            await stream.send(digest.digest())
            await stream.send_eof()

    async def _hash_messages(self, channel: fastmux.MessageChannel) -> None:
        digest = hashlib.sha256()
        count = int(channel.label.removeprefix("messages:"))
        taken = 0
        while taken < count:
            for message in await channel.receive_many(count - taken):
                add_message(digest, message)
                taken += 1
        await channel.send(digest.digest())

    async def _forward(self, stream: fastmux.Stream) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._http_port)

        async def to_origin() -> None:
            async for chunk in stream:
                writer.write(chunk)
                await writer.drain()
            writer.write_eof()

        async def from_origin() -> None:
            while chunk := await reader.read(CHUNK_SIZE):
                await stream.send(chunk)
            await stream.send_eof()

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(to_origin())
                group.create_task(from_origin())
        finally:
            writer.close()

    async def _control(self, conn: fastmux.Connection, stream: fastmux.Stream) -> None:
        """One word a request: `wake` or `report`; one line of JSON an answer."""
        async for word in stream:
            if word == b"wake":
                self._wake.set()
            answer = {
                "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "core": core.IMPLEMENTATION,
                "socket_path": conn.get_extra_info("socket_path"),
                "identity": conn.peer.common_name,
                "retransmitted": conn.stats.retransmitted_bytes,
            }
            await stream.send(json.dumps(answer).encode())


async def _serve(directory: Path, plaintext: bool) -> None:
    http_port = start_http(directory)
    tls = baseline.tls_config(directory, "server", plaintext)

    async def handle(conn: fastmux.Connection) -> None:
        await DemoServer(http_port).handle(conn)

    async with fastmux.listen(
        handle, "127.0.0.1", 0, tls=tls, close_timeout=1
    ) as server:
        tcp = await baseline.listen(directory)
        async with tcp:
            tcp_port = tcp.sockets[0].getsockname()[1]
            print(json.dumps({"port": server.port, "tcp_port": tcp_port}), flush=True)
            await asyncio.to_thread(sys.stdin.read)  # the parent closes it


def main() -> None:
    """`python -m fastmux.tunnel.demo.server DIRECTORY tls|plaintext`."""
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2] == "plaintext"))


if __name__ == "__main__":
    main()
