"""One end of a connection as a process of its own, for tests of the path MTU between network namespaces.

    python mtu_peer.py server ADDRESS
    python mtu_peer.py client ADDRESS PORT [MAX_DATAGRAM_SIZE]

The server says its port and takes what comes. The client sends without a pause; for each line on its standard
input, a path MTU, it says when it has that, and after the last line what the server got. Owns: this protocol.
"""

from __future__ import annotations

import asyncio
import json
import sys

import fastmux
from fastmux import Connection, EndOfStream, Stream
from fastmux.aio.settings import Settings
from fastmux.constants import DEFAULT_MAX_DATAGRAM_SIZE

PIECE = bytes(range(256)) * 256


def say(what: dict[str, object]) -> None:
    """One line of JSON."""
    print(json.dumps(what), flush=True)


async def serve(address: str) -> None:
    """Take one stream, and say back how many good bytes it had."""
    done = asyncio.Event()

    async def handle(connection: Connection) -> None:
        stream = await connection.accept()
        assert isinstance(stream, Stream)
        good = 0
        try:
            while True:
                data = await stream.receive()
                expected = PIECE[good % len(PIECE) :] + PIECE
                assert data == expected[: len(data)]
                good += len(data)
        except EndOfStream:
            await stream.send(str(good).encode())
            await stream.send_eof()
            await connection.wait_closed()
        finally:
            done.set()

    async with fastmux.listen(handle, address, 0, tls=fastmux.PLAINTEXT) as server:
        say({"port": server.port})
        await done.wait()


async def send(address: str, port: int, max_datagram_size: int) -> None:
    """Send until every path MTU that was asked for was there."""
    loop = asyncio.get_running_loop()
    settings: Settings = {"max_datagram_size": max_datagram_size}
    async with fastmux.connect(address, port, tls=fastmux.PLAINTEXT, **settings) as connection:
        stream = await connection.open_stream()
        sent = 0
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            has_it = False
            while not has_it:
                await stream.send(PIECE)
                sent += len(PIECE)
                has_it = connection.stats.mtu == int(line)
            say({"mtu": connection.stats.mtu, "sent": sent})
        await stream.send_eof()
        say({"received": int(await stream.receive()), "sent": sent, "mtu": connection.stats.mtu})


if __name__ == "__main__":
    if sys.argv[1] == "server":
        asyncio.run(serve(sys.argv[2]))
    else:
        largest = int(sys.argv[4]) if sys.argv[4:] else DEFAULT_MAX_DATAGRAM_SIZE
        asyncio.run(send(sys.argv[2], int(sys.argv[3]), largest))
