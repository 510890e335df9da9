"""Whole connections: mutual handshakes one after another, and what an idle connection costs a server.

Owns the connection workloads over fastmux. Knows nothing of the peers that they are measured beside.
"""

import argparse
import asyncio
import time

from bench import worker
from bench.ours import ends

SETTLING_CONNECTIONS = 16


async def serve_handshakes(options: argparse.Namespace) -> None:
    """Count connections. The last one opens a stream, the others nothing."""
    done: ends.Done = asyncio.get_running_loop().create_future()
    operations = worker.Operations(options.seconds, options.warmup)

    async def handle(conn: ends.Link) -> None:
        async for last in conn:
            await last.aclose()
            done.set_result(operations.result("server", ends.detail_of(conn)))
            return
        operations.add()

    await ends.serve_until_done(options, handle, done)


async def shake_hands(options: argparse.Namespace) -> None:
    """Connect and close gracefully, one after another; the latency is that of connecting."""
    operations = worker.Operations(options.seconds, options.warmup)
    going = True
    while going:
        started_at = time.perf_counter()
        async with ends.connect(options):
            latency = time.perf_counter() - started_at
        going = operations.add(1, latency)
    async with ends.connect(options) as conn:
        result = operations.result("client", ends.detail_of(conn))
        async with await conn.open_stream(label="end"):
            worker.announce(result)


async def serve_idle(options: argparse.Namespace) -> None:
    """What `--count` connections that do nothing add to this process, after a few that warm it up."""
    done: ends.Done = asyncio.get_running_loop().create_future()
    operations = worker.Operations(options.seconds, options.warmup)
    count = worker.count_of(options)
    base: list[int] = []

    async def handle(conn: ends.Link) -> None:
        operations.add()
        if operations.operations == SETTLING_CONNECTIONS:
            base.append(worker.rss_size())
        elif operations.operations == SETTLING_CONNECTIONS + count:
            size = (worker.rss_size() - base[0]) / count
            done.set_result(operations.result("server", {"idle_connection_size": size}))

    await ends.serve_until_done(options, handle, done)


async def keep_idle(options: argparse.Namespace) -> None:
    """Open connections and keep them; the server closes them when it has its figure."""
    operations = worker.Operations(options.seconds, options.warmup)
    kept = []
    for _ in range(SETTLING_CONNECTIONS + worker.count_of(options)):
        kept.append(await ends.connect(options))
        operations.add()
    worker.announce(operations.result("client", {}))
    for conn in kept:
        await conn.aclose()
