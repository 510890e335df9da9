"""Bulk by transport and protocol, over one connection: a BufferedProtocol verifies in its receive buffer.

Owns this workload, written as fast as asyncio allows.
"""

import argparse
import asyncio
import itertools
from typing import cast

from bench import payload, worker
from bench.tcp_tls import ends


class _Receiver(asyncio.BufferedProtocol):
    """Verifies what comes. `done` gets the result line at the client's end of stream, or the failure."""

    def __init__(self, options: argparse.Namespace, done: ends.Done) -> None:
        self._options = options
        self._done = done
        self._buffer = memoryview(bytearray(payload.PIECE_SIZE))
        self._verifier = payload.Verifier()
        self._meter: worker.Meter
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._meter = worker.Meter(self._options.seconds, self._options.warmup)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._verifier.check(self._buffer[:nbytes])
        except ValueError as error:
            self._fail(error)
            self._transport.abort()
        else:
            self._meter.add(nbytes)

    def eof_received(self) -> None:
        if not self._done.done():
            self._done.set_result(self._meter.result("server", ends.detail_of(self._transport)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("the client went away before its end of stream"))

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)


class _Sender(asyncio.Protocol):
    """Knows whether the transport wants more, and when it has gone."""

    def __init__(self) -> None:
        self.writable = asyncio.Event()
        self.writable.set()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.writable.set()
        if exc is None:
            self.closed.set_result(None)
        else:
            self.closed.set_exception(exc)


async def serve(options: argparse.Namespace) -> None:
    """The receiving side."""
    loop = asyncio.get_running_loop()
    done: ends.Done = loop.create_future()
    server = await loop.create_server(
        lambda: _Receiver(options, done), options.host, options.port, ssl=ends.context_of(options)
    )
    await ends.serve_until_done(server, done)


async def send(options: argparse.Namespace) -> None:
    """The sending side."""
    transport, protocol = await asyncio.get_running_loop().create_connection(
        _Sender,
        options.host,
        options.port,
        ssl=ends.context_of(options),
        server_hostname=options.host,
    )
    meter = worker.Meter(options.seconds, options.warmup, options.size)
    for piece in itertools.cycle(payload.PIECES):
        transport.write(piece)
        going = meter.add(len(piece))
        await protocol.writable.wait()
        if protocol.closed.done() or not going:
            break
    transport.close()
    await protocol.closed
    worker.announce(meter.result("client", {}))
