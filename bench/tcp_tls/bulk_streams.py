"""Bulk by StreamReader and StreamWriter, over one connection or `--count` of them.

Owns this workload, written as a program usually is.
"""

import argparse
import asyncio
import itertools

from bench import payload, worker
from bench.tcp_tls import ends


async def serve(options: argparse.Namespace) -> None:
    """The receiving side; every byte is compared with the pattern. Its meter starts with the first byte."""
    done: ends.Done = asyncio.get_running_loop().create_future()
    meters: list[worker.Meter] = []
    ended: list[object] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verifier = payload.Verifier()
        while data := await reader.read(ends.READ_SIZE):
            if not meters:
                meters.append(worker.Meter(options.seconds, options.warmup))
            verifier.check(data)
            meters[0].add(len(data))
        ended.append(writer)
        if len(ended) == worker.count_of(options):
            done.set_result(meters[0].result("server", ends.detail_of(writer)))

    await ends.serve_streams(options, receive, done)


async def send(options: argparse.Namespace) -> None:
    """The sending side."""
    context = ends.context_of(options)
    opened = [await ends.connect(options, context) for _ in range(worker.count_of(options))]
    meter = worker.Meter(options.seconds, options.warmup, options.size)
    async with asyncio.TaskGroup() as tasks:
        for _, writer in opened:
            tasks.create_task(_send_one(writer, meter))
    worker.announce(meter.result("client", {}))


async def _send_one(writer: asyncio.StreamWriter, meter: worker.Meter) -> None:
    for piece in itertools.cycle(payload.PIECES):
        writer.write(piece)
        await writer.drain()
        if not meter.add(len(piece)):
            break
    writer.close()
    await writer.wait_closed()
