"""What goes there and back: ping-pong on one stream or many, and a stream for each exchange.

Owns the round-trip workloads over fastmux. Knows nothing of the peers that they are measured beside.
"""

import argparse
import asyncio
import time

import fastmux
from bench import payload, worker
from bench.ours import ends
from fastmux.aio.serving import AnyChannel

SIZES = {"pingpong": worker.PINGPONG_SIZE, "echoes": worker.ECHO_SIZE, "churn": worker.ECHO_SIZE}


async def serve(options: argparse.Namespace) -> None:
    """Send everything back on the channel that it came on; the result is due when the client closes."""
    done: ends.Done = asyncio.get_running_loop().create_future()
    operations = worker.Operations(options.seconds, options.warmup)
    size = SIZES[options.workload]

    async def echo(channel: AnyChannel) -> None:
        async for data in channel:
            await channel.send(data)
            operations.add(len(data) // size)

    async def handle(conn: ends.Link) -> None:
        await conn.serve(echo)
        done.set_result(operations.result("server", ends.detail_of(conn)))

    await ends.serve_until_done(options, handle, done)


async def pingpong(options: argparse.Namespace) -> None:
    """`--count` streams, on each a message there, the same back, and again."""
    async with ends.connect(options) as conn:
        streams = [await conn.open_stream(label="echo") for _ in range(worker.count_of(options))]
        operations = worker.Operations(options.seconds, options.warmup)
        pieces = payload.cut(SIZES[options.workload])
        async with asyncio.TaskGroup() as tasks:
            for number, stream in enumerate(streams):
                tasks.create_task(_exchange(stream, operations, pieces, number))
        ends.announce(operations.result("client", ends.detail_of(conn)))


async def _exchange(
    stream: fastmux.Stream, operations: worker.Operations, pieces: list[bytes], number: int
) -> None:
    going = True
    while going:
        piece = pieces[number % len(pieces)]
        number += 1
        started_at = time.perf_counter()
        await stream.send(piece)
        await _expect(stream, piece)
        going = operations.add(1, time.perf_counter() - started_at)
    await stream.aclose()


async def _expect(stream: fastmux.Stream, piece: bytes) -> None:
    """Receive exactly `piece`. Raises ValueError for anything else."""
    answer = await stream.receive(len(piece))
    while len(answer) < len(piece):
        answer += await stream.receive(len(piece) - len(answer))
    if answer != piece:
        raise ValueError("the echo is not what was sent")


async def churn(options: argparse.Namespace) -> None:
    """`--count` at a time: open a stream, 100 bytes there and back, both ends of stream, close."""
    async with ends.connect(options) as conn:
        operations = worker.Operations(options.seconds, options.warmup)
        pieces = payload.cut(SIZES["churn"])

        async def go_on(number: int) -> None:
            going = True
            while going:
                piece = pieces[number % len(pieces)]
                number += 1
                started_at = time.perf_counter()
                await _open_and_close(conn, piece)
                going = operations.add(1, time.perf_counter() - started_at)

        async with asyncio.TaskGroup() as tasks:
            for number in range(worker.count_of(options)):
                tasks.create_task(go_on(number))
        ends.announce(operations.result("client", ends.detail_of(conn)))


async def _open_and_close(conn: ends.Link, piece: bytes) -> None:
    async with await conn.open_stream() as stream:
        await stream.send(piece)
        await stream.send_eof()
        await _expect(stream, piece)
        async for _ in stream:
            raise ValueError("more came back than was sent")
