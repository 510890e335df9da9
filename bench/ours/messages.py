"""Messages one way: 16 KiB one at a time, 64 bytes many at a time.

Owns the message workloads over fastmux. Knows nothing of the peers that they are measured beside.
"""

import argparse
import asyncio
import itertools

import fastmux
from bench import payload, worker
from bench.ours import ends

SIZES = {"messages": worker.MESSAGE_SIZE, "small-messages": worker.SMALL_MESSAGE_SIZE}
BATCH = 256


async def serve(options: argparse.Namespace) -> None:
    """The receiving side; every message is compared with the one that was sent, in order."""
    done: ends.Done = asyncio.get_running_loop().create_future()
    receive = _receive_one if options.workload == "messages" else _receive_many

    async def handle(conn: ends.Link) -> None:
        channel = await conn.accept()
        assert isinstance(channel, fastmux.MessageChannel)
        operations = worker.Operations(options.seconds, options.warmup)
        try:
            await receive(channel, operations, payload.cut(SIZES[options.workload]))
        except fastmux.EndOfStream:
            done.set_result(operations.result("server", ends.detail_of(conn)))
            await channel.send_eof()
        await conn.wait_closed()

    await ends.serve_until_done(options, handle, done)


async def _receive_one(
    channel: fastmux.MessageChannel, operations: worker.Operations, pieces: list[bytes]
) -> None:
    for piece in itertools.cycle(pieces):
        if await channel.receive() != piece:
            raise ValueError("a message is not the one that was sent")
        operations.add()


async def _receive_many(
    channel: fastmux.MessageChannel, operations: worker.Operations, pieces: list[bytes]
) -> None:
    twice = pieces * 2
    at = 0
    while True:
        messages = await channel.receive_many(BATCH)
        if messages != twice[at : at + len(messages)]:
            raise ValueError("the messages are not those that were sent")
        at = (at + len(messages)) % len(pieces)
        operations.add(len(messages))


async def send(options: argparse.Namespace) -> None:
    """The sending side."""
    pieces = payload.cut(SIZES[options.workload])
    transmit = _send_one if options.workload == "messages" else _send_many
    async with ends.connect(options) as conn:
        channel = await conn.open_message_channel(label="messages")
        operations = worker.Operations(options.seconds, options.warmup)
        await transmit(channel, operations, pieces)
        await channel.send_eof()
        async for _ in channel:  # the server's end: it has verified the last message
            raise ValueError("the server has nothing to say here")
        worker.announce(operations.result("client", ends.detail_of(conn)))


async def _send_one(
    channel: fastmux.MessageChannel, operations: worker.Operations, pieces: list[bytes]
) -> None:
    for piece in itertools.cycle(pieces):
        await channel.send(piece)
        if not operations.add():
            break


async def _send_many(
    channel: fastmux.MessageChannel, operations: worker.Operations, pieces: list[bytes]
) -> None:
    twice = pieces * 2
    at, going = 0, True
    while going:
        taken = await channel.send_many(twice[at : at + BATCH])
        at = (at + taken) % len(pieces)
        going = operations.add(taken)
