"""Round trips by transport and protocol, on one connection or `--count` of them.

Owns this workload, written as fast as asyncio allows.
"""

import argparse
import asyncio
import time
from functools import partial
from typing import cast

from bench import payload, worker
from bench.tcp_tls import ends
from bench.tcp_tls.echo_streams import SIZES


class _Echo(asyncio.Protocol):
    """Sends everything back. `ended` gets every connection that is over."""

    def __init__(
        self, operations: worker.Operations, size: int, ended: asyncio.Queue[Exception | None]
    ) -> None:
        self._operations = operations
        self._size = size
        self._ended = ended
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)
        self._operations.add(len(data) // self._size)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.put_nowait(exc)


async def serve(options: argparse.Namespace) -> None:
    """The side that sends back; the result is due when every connection has ended."""
    loop = asyncio.get_running_loop()
    done: ends.Done = loop.create_future()
    operations = worker.Operations(options.seconds, options.warmup)
    ended: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def wait_ended() -> None:
        for _ in range(worker.count_of(options)):
            error = await ended.get()
            if error is not None:
                done.set_exception(error)
                return
        done.set_result(operations.result("server", {}))

    size = SIZES[options.workload]
    context = ends.context_of(options)
    server = await loop.create_server(
        lambda: _Echo(operations, size, ended), options.host, options.port, ssl=context
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wait_ended())
        await ends.serve_until_done(server, done)


class _Asker(asyncio.Protocol):
    """Sends a piece whenever the last came back. `done` ends with its time, or with what went wrong."""

    def __init__(self, pieces: list[bytes], number: int) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._operations: worker.Operations
        self._pieces = pieces
        self._number = number
        self._answer = b""
        self._started_at = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def start(self, operations: worker.Operations) -> None:
        """Send the first piece."""
        self._operations = operations
        self._ask()

    def _ask(self) -> None:
        self._started_at = time.perf_counter()
        self._transport.write(self._pieces[self._number % len(self._pieces)])

    def data_received(self, data: bytes) -> None:
        piece = self._pieces[self._number % len(self._pieces)]
        self._answer += data
        if len(self._answer) < len(piece) or self.done.done():
            return
        if self._answer != piece:
            self.done.set_exception(ValueError("the echo is not what was sent"))
        elif self._operations.add(1, time.perf_counter() - self._started_at):
            self._number += 1
            self._answer = b""
            self._ask()
        else:
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server went away"))


async def pingpong(options: argparse.Namespace) -> None:
    """On each connection a message there, the same back, and again."""
    loop = asyncio.get_running_loop()
    context = ends.context_of(options)
    pieces = payload.cut(SIZES[options.workload])
    opened: list[tuple[asyncio.Transport, _Asker]] = []
    for number in range(worker.count_of(options)):
        factory = partial(_Asker, pieces, number)
        connecting = loop.create_connection(
            factory, options.host, options.port, ssl=context, server_hostname=options.host
        )
        opened.append(await connecting)
    operations = worker.Operations(options.seconds, options.warmup)
    for _, asker in opened:
        asker.start(operations)
    for _, asker in opened:
        await asker.done
    worker.announce(operations.result("client", ends.detail_of(opened[0][0])))
    for transport, _ in opened:
        transport.close()
