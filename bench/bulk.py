"""fastmux itself in the bulk benchmark: one connection, one stream, one process a side.

    python -m bench.bulk server|client --certificates DIR [--port N] [--loop uvloop] [--plaintext] …

Written as a user would: `listen`, `connect`, `send`, `receive_into`. The core is what the environment says
(FASTMUX_NO_EXTENSIONS). Owns this worker. Knows nothing of the peers that it is measured beside.
"""

import argparse
import asyncio
import itertools

import fastmux
from bench import payload, worker
from fastmux import core
from fastmux.security.config import PlaintextConfig, TLSConfig

CLOSE_SECONDS = 5.0


def _tls(role: str, options: argparse.Namespace) -> TLSConfig | PlaintextConfig:
    if options.plaintext:
        return fastmux.PLAINTEXT
    folder = options.certificates
    return fastmux.TLSConfig(folder / f"{role}.pem", folder / f"{role}.key", folder / "ca.pem")


def _detail(conn: fastmux.Connection) -> dict[str, object]:
    stats = conn.stats
    return {
        "core": core.IMPLEMENTATION,
        "socket_path": conn.get_extra_info("socket_path"),
        "packets_sent": stats.packets_sent,
        "packets_received": stats.packets_received,
        "packets_lost": stats.packets_lost,
        "mtu": stats.mtu,
        "congestion_window": stats.congestion_window,
    }


async def _serve(options: argparse.Namespace) -> None:
    done: asyncio.Future[worker.Result] = asyncio.get_running_loop().create_future()

    async def handle(conn: fastmux.Connection) -> None:
        try:
            done.set_result(await _receive(conn, options))
        except (OSError, ValueError) as error:
            done.set_exception(error)
        await conn.wait_closed()

    tls, size = _tls("server", options), options.datagram_size
    listener = fastmux.listen(handle, "127.0.0.1", options.port, tls=tls, max_datagram_size=size)
    async with listener as server:
        worker.announce({"port": server.port})
        worker.announce(await done)


async def _receive(conn: fastmux.Connection, options: argparse.Namespace) -> worker.Result:
    stream = await conn.accept()
    assert isinstance(stream, fastmux.Stream)
    verifier = payload.Verifier()
    meter = worker.Meter(options.seconds, options.warmup)
    buffer = bytearray(payload.PIECE_SIZE)
    view = memoryview(buffer)
    try:
        while True:
            size = await stream.receive_into(buffer)
            verifier.check(view[:size])
            meter.add(size)
    except fastmux.EndOfStream:
        result = meter.result("server", _detail(conn))
        await stream.send_eof()
        return result


async def _send(options: argparse.Namespace) -> None:
    tls, size = _tls("client", options), options.datagram_size
    async with fastmux.connect("127.0.0.1", options.port, tls=tls, max_datagram_size=size) as conn:
        stream = await conn.open_stream(label="bulk")
        meter = worker.Meter(options.seconds, options.warmup, options.size)
        for piece in itertools.cycle(payload.PIECES):
            await stream.send(piece)
            if not meter.add(len(piece)):
                break
        await stream.send_eof()
        try:
            await stream.receive()
        except fastmux.EndOfStream:
            worker.announce(meter.result("client", _detail(conn)))


def main() -> None:
    """Parse the options and run one side."""
    parser = worker.parser("bulk over fastmux")
    parser.add_argument("--plaintext", action="store_true")
    parser.add_argument("--datagram-size", type=int, default=1452)
    options = parser.parse_args()
    worker.run(_serve(options) if options.role == "server" else _send(options), options)


if __name__ == "__main__":
    main()
