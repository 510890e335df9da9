"""Mutual handshakes, one after another.

Owns this workload. The last connection says that it is the last.
"""

import argparse
import asyncio
import time

from bench import worker
from bench.tcp_tls import ends

END = b"end"


async def serve(options: argparse.Namespace) -> None:
    """Count connections until one says that this was all."""
    done: ends.Done = asyncio.get_running_loop().create_future()
    operations = worker.Operations(options.seconds, options.warmup)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(len(END)):
            done.set_result(operations.result("server", ends.detail_of(writer)))
        else:
            operations.add()

    await ends.serve_streams(options, handle, done)


async def shake_hands(options: argparse.Namespace) -> None:
    """Connect and close, one after another; the latency is that of connecting."""
    context = ends.context_of(options)
    operations = worker.Operations(options.seconds, options.warmup)
    going = True
    while going:
        started_at = time.perf_counter()
        _, writer = await ends.connect(options, context)
        latency = time.perf_counter() - started_at
        writer.close()
        await writer.wait_closed()
        going = operations.add(1, latency)
    result = operations.result("client", {})
    _, writer = await ends.connect(options, context)
    writer.write(END)
    writer.close()
    await writer.wait_closed()
    worker.announce(result)
