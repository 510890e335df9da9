"""How quick a small request stays beside a saturating download: measures it idle, then loaded.

    python -m programs.interactive ports ECHO BULK               two TCP ports of loopback that are forwarded
    python -m programs.interactive channel ADDRESS FOLDER BULK   fastmux's ping channel, and BULK at the exit

Writes one line of JSON: "idle" and "loaded", round trips in seconds; "rate", bytes a second of the download.
Owns: the measurement. May not know: the link.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import fastmux

PINGS = 150
INTERVAL = 0.1
SETTLE = 3.0
SIZE = 48

Ping = Callable[[], Awaitable[None]]
Read = Callable[[], Awaitable[int]]


async def _round_trips(ping: Ping) -> list[float]:
    found = []
    for _ in range(PINGS):
        began = time.monotonic()
        await ping()
        took = time.monotonic() - began
        found.append(took)
        await asyncio.sleep(max(INTERVAL - took, 0.0))
    return found


async def measure(ping: Ping, read: Read) -> dict[str, object]:
    """Ping idle, begin to read without end, ping again."""
    await ping()
    idle = await _round_trips(ping)
    size = 0

    async def download() -> None:
        nonlocal size
        while True:
            size += await read()

    task = asyncio.create_task(download())
    await asyncio.sleep(SETTLE)
    began, before = time.monotonic(), size
    loaded = await _round_trips(ping)
    rate = (size - before) / (time.monotonic() - began)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return {"idle": idle, "loaded": loaded, "rate": rate}


async def over_ports(echo_port: int, bulk_port: int) -> dict[str, object]:
    """Through forwarded ports."""
    echo_reader, echo_writer = await asyncio.open_connection("127.0.0.1", echo_port)
    streams: list[asyncio.StreamReader] = []
    writers = [echo_writer]

    async def ping() -> None:
        echo_writer.write(bytes(SIZE))
        await echo_reader.readexactly(SIZE)

    async def read() -> int:
        if not streams:
            reader, writer = await asyncio.open_connection("127.0.0.1", bulk_port)
            streams.append(reader)
            writers.append(writer)
        data = await streams[0].read(65536)
        if not data:
            raise ConnectionError("the download ended")
        return len(data)

    try:
        return await measure(ping, read)
    finally:
        for writer in writers:
            writer.close()


async def over_channel(address: str, folder: Path, bulk_port: int) -> dict[str, object]:
    """Over fastmux's own ping channel."""
    host, port = address.rsplit(":", 1)
    tls = fastmux.TLSConfig(
        folder / "client.pem", folder / "client.key", folder / "ca.pem", server_hostname="localhost"
    )
    async with _connected(host, int(port), tls) as conn:
        channel = await conn.open_message_channel("fastmux:ping", priority=0)
        streams: list[fastmux.Stream] = []

        async def ping() -> None:
            await channel.send(bytes(SIZE))
            await channel.receive()

        async def read() -> int:
            if not streams:
                streams.append(await conn.open_stream(f"fastmux:tcp:127.0.0.1:{bulk_port}", priority=128))
            return len(await streams[0].receive())

        return await measure(ping, read)


@contextlib.asynccontextmanager
async def _connected(host: str, port: int, tls: fastmux.TLSConfig) -> AsyncIterator[fastmux.Connection]:
    conn = await fastmux.connect(host, port, tls=tls)
    try:
        yield conn
    finally:
        conn.abort()


def main() -> None:
    """See above."""
    kind, *words = sys.argv[1:]
    if kind == "ports":
        result = asyncio.run(over_ports(int(words[0]), int(words[1])))
    else:
        result = asyncio.run(over_channel(words[0], Path(words[1]), int(words[2])))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
