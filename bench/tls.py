"""The TLS peer of the bulk benchmark: asyncio TCP and mutual TLS 1.3, one stream, one process a side.

    python -m bench.tls server|client --certificates DIR [--port N] [--loop uvloop] …

Two ways to write it: `--api streams` is `asyncio.open_connection` with `drain()`, what a program is usually
written with; `--api protocol` is the fastest that asyncio has, a BufferedProtocol that verifies in its
receive buffer. The harness starts it with an OPENSSL_CONF that asks for AES-128-GCM, which the `ssl` module
of Python 3.11 cannot; the result line says which cipher it was.
"""

import argparse
import asyncio
import itertools
import ssl
from typing import cast

from bench import payload, worker
from bench.worker import Result


def _context(role: str, options: argparse.Namespace) -> ssl.SSLContext:
    purpose = ssl.Purpose.CLIENT_AUTH if role == "server" else ssl.Purpose.SERVER_AUTH
    context = ssl.create_default_context(purpose, cafile=options.certificates / "ca.pem")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(options.certificates / f"{role}.pem", options.certificates / f"{role}.key")
    return context


class _Receiver(asyncio.BufferedProtocol):
    """Verifies what comes. `done` gets the result line at the client's end of stream, or the failure."""

    def __init__(self, options: argparse.Namespace, done: "asyncio.Future[Result]") -> None:
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
            cipher = self._transport.get_extra_info("cipher")
            self._done.set_result(self._meter.result("server", {"cipher": cipher[0]}))

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


async def _serve_protocol(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()
    server = await loop.create_server(
        lambda: _Receiver(options, done), "127.0.0.1", options.port, ssl=_context("server", options)
    )
    async with server:
        worker.announce({"port": server.sockets[0].getsockname()[1]})
        worker.announce(await done)


async def _send_protocol(options: argparse.Namespace) -> None:
    transport, protocol = await asyncio.get_running_loop().create_connection(
        _Sender,
        "127.0.0.1",
        options.port,
        ssl=_context("client", options),
        server_hostname="127.0.0.1",
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


async def _serve_streams(options: argparse.Namespace) -> None:
    done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verifier = payload.Verifier()
        meter = worker.Meter(options.seconds, options.warmup)
        try:
            while data := await reader.read(payload.PIECE_SIZE):
                verifier.check(data)
                meter.add(len(data))
            done.set_result(meter.result("server", {"cipher": writer.get_extra_info("cipher")[0]}))
        except (OSError, ValueError) as error:
            done.set_exception(error)
        finally:
            writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", options.port, ssl=_context("server", options))
    async with server:
        worker.announce({"port": server.sockets[0].getsockname()[1]})
        worker.announce(await done)


async def _send_streams(options: argparse.Namespace) -> None:
    _, writer = await asyncio.open_connection(
        "127.0.0.1", options.port, ssl=_context("client", options), server_hostname="127.0.0.1"
    )
    meter = worker.Meter(options.seconds, options.warmup, options.size)
    for piece in itertools.cycle(payload.PIECES):
        writer.write(piece)
        await writer.drain()
        if not meter.add(len(piece)):
            break
    writer.close()
    await writer.wait_closed()
    worker.announce(meter.result("client", {}))


_WORKERS = {
    ("streams", "server"): _serve_streams,
    ("streams", "client"): _send_streams,
    ("protocol", "server"): _serve_protocol,
    ("protocol", "client"): _send_protocol,
}


def main() -> None:
    parser = worker.parser("bulk over asyncio TCP and TLS 1.3")
    parser.add_argument("--api", choices=("streams", "protocol"), default="streams")
    options = parser.parse_args()
    worker.run(_WORKERS[options.api, options.role](options), options)


if __name__ == "__main__":
    main()
