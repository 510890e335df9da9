"""Round trips by StreamReader and StreamWriter, on one connection or `--count` of them.

Owns this workload, written as a program usually is.
"""

import argparse
import asyncio
import time

from bench import payload, worker
from bench.tcp_tls import ends

SIZES = {"pingpong": worker.PINGPONG_SIZE, "echoes": worker.ECHO_SIZE}


async def serve(options: argparse.Namespace) -> None:
    """Send everything back; the result is due when every connection has ended."""
    done: ends.Done = asyncio.get_running_loop().create_future()
    operations = worker.Operations(options.seconds, options.warmup)
    size = SIZES[options.workload]
    ended: list[object] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(ends.READ_SIZE):
            writer.write(data)
            await writer.drain()
            operations.add(len(data) // size)
        ended.append(writer)
        if len(ended) == worker.count_of(options):
            done.set_result(operations.result("server", ends.detail_of(writer)))

    await ends.serve_streams(options, echo, done)


async def pingpong(options: argparse.Namespace) -> None:
    """On each connection a message there, the same back, and again."""
    context = ends.context_of(options)
    opened = [await ends.connect(options, context) for _ in range(worker.count_of(options))]
    operations = worker.Operations(options.seconds, options.warmup)
    pieces = payload.cut(SIZES[options.workload])
    async with asyncio.TaskGroup() as tasks:
        for number, (reader, writer) in enumerate(opened):
            tasks.create_task(_exchange(reader, writer, operations, pieces, number))
    worker.announce(operations.result("client", {}))
    for _, writer in opened:
        writer.close()
        await writer.wait_closed()


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    operations: worker.Operations,
    pieces: list[bytes],
    number: int,
) -> None:
    going = True
    while going:
        piece = pieces[number % len(pieces)]
        number += 1
        started_at = time.perf_counter()
        writer.write(piece)
        if await reader.readexactly(len(piece)) != piece:
            raise ValueError("the echo is not what was sent")
        going = operations.add(1, time.perf_counter() - started_at)
