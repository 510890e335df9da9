"""Messages one way over one connection, each after its length in 4 bytes.

Owns this workload. The receiver cuts what `read` gave, which is faster than two `readexactly` a message.
"""

import argparse
import asyncio
import itertools

from bench import payload, worker
from bench.tcp_tls import ends

SIZES = {"messages": worker.MESSAGE_SIZE, "small-messages": worker.SMALL_MESSAGE_SIZE}
BATCHES = {"messages": 1, "small-messages": 256}
LENGTH_SIZE = 4


async def serve(options: argparse.Namespace) -> None:
    """The receiving side; every message is compared with the one that was sent."""
    done: ends.Done = asyncio.get_running_loop().create_future()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        operations = worker.Operations(options.seconds, options.warmup)
        expected = itertools.cycle(payload.cut(SIZES[options.workload]))
        rest = b""
        while data := await reader.read(ends.READ_SIZE):
            rest += data
            rest = rest[_take(rest, expected, operations) :]
        if rest:
            raise ValueError("the last message is cut short")
        done.set_result(operations.result("server", ends.detail_of(writer)))

    await ends.serve_streams(options, receive, done)


def _take(data: bytes, expected: "itertools.cycle[bytes]", operations: worker.Operations) -> int:
    """Verify every whole message in `data`; how many bytes they are."""
    at, count = 0, 0
    while len(data) - at >= LENGTH_SIZE:
        start = at + LENGTH_SIZE
        end = start + int.from_bytes(data[at:start], "big")
        if end > len(data):
            break
        if data[start:end] != next(expected):
            raise ValueError("a message is not the one that was sent")
        at, count = end, count + 1
    operations.add(count)
    return at


async def send(options: argparse.Namespace) -> None:
    """The sending side: `--workload small-messages` gives many at a time to one `write`."""
    size, batch = SIZES[options.workload], BATCHES[options.workload]
    prefix = size.to_bytes(LENGTH_SIZE, "big")
    messages = itertools.cycle(payload.cut(size))
    _, writer = await ends.connect(options, ends.context_of(options))
    operations = worker.Operations(options.seconds, options.warmup)
    going = True
    while going:
        # Joined: `writelines` over TLS makes a record of each part.
        writer.write(b"".join(part for _ in range(batch) for part in (prefix, next(messages))))
        await writer.drain()
        going = operations.add(batch)
    writer.close()
    await writer.wait_closed()
    worker.announce(operations.result("client", {}))
