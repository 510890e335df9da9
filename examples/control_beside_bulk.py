"""Read a configuration over a control channel while a bulk transfer fills the link.

    python -m examples.control_beside_bulk

One connection carries both, and the small must not wait for the large. What this shows:

* Channels do not hold each other up: each has its own window, and a lost packet of one delays no other.
* `priority=`: 0 goes first, 255 last. The transfer gets what the control channel leaves.
* The transfer is only ever as far ahead as its window, so an urgent message need not wait behind megabytes.
"""

from __future__ import annotations

import asyncio
import json
import time

import fastmux
from examples.throwaway import certificates

SIZE = 4 * 2**20
CONTROL, BULK = 0, 255
CONFIGURATION = {"name": "example", "interval": 0.5, "targets": ["one", "two"]}


async def control(channel: fastmux.MessageChannel) -> None:
    """Answer each question for a key of the configuration."""
    async for key in channel:
        await channel.send(json.dumps(CONFIGURATION.get(key.decode())).encode())


async def handle(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
    """A task for each channel: the label says which it is."""
    if isinstance(channel, fastmux.MessageChannel):
        await control(channel)
        return
    size = 0
    async for chunk in channel:
        size += len(chunk)
    await channel.send(str(size).encode())


async def upload(stream: fastmux.Stream) -> int:
    """Send SIZE bytes; returns how many the other side counted."""
    piece = bytes(65536)
    for _ in range(SIZE // len(piece)):
        await stream.send(piece)
    await stream.send_eof()
    return int(b"".join([chunk async for chunk in stream]))


async def main() -> None:
    """Ask again and again while the upload runs."""
    with certificates() as (server_tls, client_tls):
        async with (
            fastmux.listen(lambda conn: conn.serve(handle), "127.0.0.1", 0, tls=server_tls) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls) as conn,
            await conn.open_message_channel("control", priority=CONTROL) as channel,
            await conn.open_stream("bulk", priority=BULK) as stream,
        ):
            uploading = asyncio.create_task(upload(stream))
            waits: list[float] = []
            while not uploading.done() or not waits:
                for key, value in CONFIGURATION.items():
                    asked_at = time.perf_counter()
                    await channel.send(key.encode())
                    if json.loads(await channel.receive()) != value:
                        raise ValueError(f"wrong answer for {key}")
                    waits.append(time.perf_counter() - asked_at)
            print(f"{await uploading} bytes uploaded; {len(waits)} answers meanwhile, ", end="")
            print(f"half of them within {1e3 * sorted(waits)[len(waits) // 2]:.1f} ms")
            await channel.send_eof()


if __name__ == "__main__":
    asyncio.run(main())
