"""What stands behind the far end of a tunnel: an echo and an endless source, over TCP.

    python -m programs.tcp_ends HOST    writes {"echo": PORT, "bulk": PORT} and serves until it is ended

Owns: the two servers. May not know: how they are reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

PIECE = bytes(65536)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError), contextlib.closing(writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def _pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError), contextlib.closing(writer):
        while True:
            writer.write(PIECE)
            await writer.drain()


async def serve(host: str) -> None:
    """Serve without end."""
    echo = await asyncio.start_server(_echo, host, 0)
    bulk = await asyncio.start_server(_pour, host, 0)
    ports = {name: each.sockets[0].getsockname()[1] for name, each in (("echo", echo), ("bulk", bulk))}
    print(json.dumps(ports), flush=True)
    async with echo, bulk:
        await asyncio.gather(echo.serve_forever(), bulk.serve_forever())


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(sys.argv[1]))
