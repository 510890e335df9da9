"""One side of one workload over websockets, mutual TLS 1.3 over TCP.

    python -m bench.peers.websockets server|client --workload W --certificates DIR [--port N] …

Chosen from its documentation: the asyncio implementation with the C speedups (the result line says whether
they are there); no compression, for bytes that do not compress; no keep-alive pings; no limit of a message,
since the bytes come from our own client; larger queues than the defaults of 16 frames and 32 KiB, so that
neither side waits for the other every few messages, but bounded, so `send` holds the sender back. Bulk goes
in messages of 256 KiB. The harness starts it with an OPENSSL_CONF that asks for AES-128-GCM, as it does the
TCP and TLS contender; the result line says which cipher it was. A message of nothing ends every workload.

Echoes are as many as `--count` in flight on the one connection, answered in order: that is the fastest that
a connection without channels can do. `streams` and `churn` are not here: a connection has no streams, and
as many connections would be another thing.

Owns this peer's workers. Knows no other peer.
"""

import argparse
import asyncio
import importlib
import itertools
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from bench import payload, worker
from bench.peers import common
from bench.tcp_tls.ends import context_of

MAX_QUEUE = 256
WRITE_LIMIT = 1024 * 1024
END = b""

_client = importlib.import_module("websockets.asyncio.client")
_server = importlib.import_module("websockets.asyncio.server")
_frames = importlib.import_module("websockets.frames")
_SETTINGS: dict[str, Any] = {
    "compression": None,
    "max_size": None,
    "max_queue": MAX_QUEUE,
    "write_limit": WRITE_LIMIT,
    "ping_interval": None,
    "close_timeout": common.ANSWER_SECONDS,
}


def _connect(options: argparse.Namespace, context: ssl.SSLContext) -> Any:
    host = f"[{options.host}]" if ":" in options.host else options.host
    return _client.connect(f"wss://{host}:{options.port}", ssl=context, proxy=None, **_SETTINGS)


def _detail(conn: Any) -> dict[str, object]:
    cipher = conn.transport.get_extra_info("cipher")[0]
    speedups = _frames.apply_mask.__module__.endswith("speedups")
    return {"cipher": cipher, "speedups": speedups, "authenticated": "both"}


async def _receive_bulk(conn: Any, options: argparse.Namespace) -> worker.Result:
    verifier = payload.Verifier()
    meter = worker.Meter(options.seconds, options.warmup)
    while message := await conn.recv():
        common.verify(verifier, message)
        meter.add(len(message))
    return meter.result("server", _detail(conn))


async def _receive_messages(conn: Any, options: argparse.Namespace) -> worker.Result:
    check = common.MessageCheck(common.SIZES[options.workload])
    operations = worker.Operations(options.seconds, options.warmup)
    while message := await conn.recv():
        check.check((message,))
        operations.add()
    return operations.result("server", _detail(conn))


async def _echo(conn: Any, options: argparse.Namespace) -> worker.Result:
    operations = worker.Operations(options.seconds, options.warmup)
    while message := await conn.recv():
        await conn.send(message)
        operations.add()
    return operations.result("server", _detail(conn))


async def _serve(options: argparse.Namespace) -> None:
    done: asyncio.Future[worker.Result] = asyncio.get_running_loop().create_future()
    handler = _SERVERS[options.workload](options)

    async def handle(conn: Any) -> None:
        try:
            result = await handler(conn)
        except Exception as error:
            if not done.done():
                done.set_exception(error)
            raise
        if result is not None:
            await conn.send(END)
            done.set_result(result)
        await conn.wait_closed()

    serving = _server.serve(handle, options.host, options.port, ssl=context_of(options), **_SETTINGS)
    async with serving as server:
        worker.announce({"port": next(iter(server.sockets)).getsockname()[1]})
        worker.announce(await done)


Handler = Callable[[Any], Awaitable[worker.Result | None]]


def _once(receive: Callable[[Any, argparse.Namespace], Awaitable[worker.Result]]) -> Any:
    """A handler for the one connection of a workload."""
    return lambda options: lambda conn: receive(conn, options)


def _count_handshakes(options: argparse.Namespace) -> Handler:
    """Every connection but the last ends without a word; the last says END."""
    operations = worker.Operations(options.seconds, options.warmup)

    async def handle(conn: Any) -> worker.Result | None:
        async for message in conn:
            if message == END:
                return operations.result("server", _detail(conn))
        operations.add()
        return None

    return handle


async def _finish(conn: Any) -> None:
    """Say END; over when the server has verified everything and said so too."""
    await conn.send(END)
    if await asyncio.wait_for(conn.recv(), common.ANSWER_SECONDS) != END:
        raise ValueError("the server has nothing to say here")


async def _send_bulk(options: argparse.Namespace) -> None:
    async with _connect(options, context_of(options)) as conn:
        meter = worker.Meter(options.seconds, options.warmup, options.size)
        for piece in itertools.cycle(payload.PIECES):
            await conn.send(piece)
            if not meter.add(len(piece)):
                break
        await _finish(conn)
        worker.announce(meter.result("client", _detail(conn)))


async def _send_messages(options: argparse.Namespace) -> None:
    async with _connect(options, context_of(options)) as conn:
        operations = worker.Operations(options.seconds, options.warmup)
        for piece in itertools.cycle(payload.cut(common.SIZES[options.workload])):
            await conn.send(piece)
            if not operations.add():
                break
        await _finish(conn)
        worker.announce(operations.result("client", _detail(conn)))


async def _exchange_echoes(options: argparse.Namespace) -> None:
    pieces = payload.cut(common.SIZES[options.workload])
    async with _connect(options, context_of(options)) as conn:
        operations = worker.Operations(options.seconds, options.warmup)
        waiting = deque(common.Exchange(pieces, number) for number in range(worker.count_of(options)))
        for exchange in waiting:
            await conn.send(exchange.next())
        while waiting:
            exchange = waiting.popleft()
            if not exchange.take(await conn.recv()):
                raise ValueError("an echo is shorter than what was sent")
            if operations.add(1, exchange.latency):
                waiting.append(exchange)
                await conn.send(exchange.next())
        result = operations.result("client", _detail(conn))
        await _finish(conn)
        worker.announce(result)


async def _shake_hands(options: argparse.Namespace) -> None:
    context = context_of(options)
    operations = worker.Operations(options.seconds, options.warmup)
    going = True
    while going:
        started_at = time.perf_counter()
        async with _connect(options, context):
            latency = time.perf_counter() - started_at
        going = operations.add(1, latency)
    async with _connect(options, context) as conn:
        result = operations.result("client", _detail(conn))
        await _finish(conn)
    worker.announce(result)


_SERVERS: dict[str, Callable[[argparse.Namespace], Handler]] = {
    "bulk": _once(_receive_bulk),
    "pingpong": _once(_echo),
    "echoes": _once(_echo),
    "messages": _once(_receive_messages),
    "small-messages": _once(_receive_messages),
    "handshakes": _count_handshakes,
}
_CLIENTS = {
    "bulk": _send_bulk,
    "pingpong": _exchange_echoes,
    "echoes": _exchange_echoes,
    "messages": _send_messages,
    "small-messages": _send_messages,
    "handshakes": _shake_hands,
}


def main() -> None:
    """Parse the options and run one side."""
    parser = worker.parser("one side of one workload over websockets")
    options = parser.parse_args()
    if options.workload not in _CLIENTS:
        parser.error(f"websockets has no {options.workload}")
    worker.run(_serve(options) if options.role == "server" else _CLIENTS[options.workload](options), options)


if __name__ == "__main__":
    main()
