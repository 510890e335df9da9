"""A server in a process of its own, for tests that stop or kill it: `python -m virtual.peer IDLE_TIMEOUT`.

Owns: what it does with channels, by their label. May not know: what becomes of it. It tells its port on its
standard output and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys
from hashlib import sha256
from random import Random

from fastmux import PLAINTEXT, Connection, MessageChannel, Stream, listen

DOWNLOAD_SIZE = 4_000_000
MESSAGE_SIZE = 8_000_000


def content(size: int) -> bytes:
    """So many bytes that look like nothing else. (This file imports little: it starts in each test.)"""
    return Random(size).randbytes(size)


async def answer(channel: Stream | MessageChannel) -> None:
    """Send much, a large message, a hash of what comes, or nothing."""
    if isinstance(channel, MessageChannel):
        await channel.send(content(MESSAGE_SIZE))
    elif channel.label == "download":
        await channel.send(content(DOWNLOAD_SIZE))
        await channel.send_eof()
    elif channel.label == "upload":
        digest = sha256()
        async for chunk in channel:
            digest.update(chunk)
        await channel.send(digest.digest())
    else:
        await asyncio.Event().wait()


async def main(idle_timeout: float) -> None:
    """Serve until the standard input ends."""

    async def handler(connection: Connection) -> None:
        await connection.serve(answer)

    async with await listen(
        handler, "127.0.0.1", 0, tls=PLAINTEXT, close_timeout=0, max_streams=4, idle_timeout=idle_timeout
    ) as server:
        print(server.port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
