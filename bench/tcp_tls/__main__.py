"""One side of one workload over asyncio TCP and mutual TLS 1.3.

    python -m bench.tcp_tls server|client --workload W --certificates DIR [--port N] [--loop uvloop] …

Two ways to write it: `--api streams` is `asyncio.open_connection` with `drain()`, what a program is usually
written with; `--api protocol` is the fastest that asyncio has, without StreamReader and StreamWriter. There
are no channels: where a workload wants many streams, these are connections. The harness starts it with an
OPENSSL_CONF that asks for AES-128-GCM, which the `ssl` module of Python 3.11 cannot; the result line says
which cipher it was. Owns the options and which file has which workload.
"""

import argparse
from collections.abc import Callable, Coroutine
from typing import Any

from bench import worker
from bench.tcp_tls import bulk_protocol, bulk_streams, echo_protocol, echo_streams, handshakes, messages

Side = Callable[[argparse.Namespace], Coroutine[Any, Any, None]]

WORKERS: dict[tuple[str, str], tuple[Side, Side]] = {
    ("bulk", "streams"): (bulk_streams.serve, bulk_streams.send),
    ("bulk", "protocol"): (bulk_protocol.serve, bulk_protocol.send),
    ("streams", "streams"): (bulk_streams.serve, bulk_streams.send),
    ("pingpong", "streams"): (echo_streams.serve, echo_streams.pingpong),
    ("pingpong", "protocol"): (echo_protocol.serve, echo_protocol.pingpong),
    ("echoes", "streams"): (echo_streams.serve, echo_streams.pingpong),
    ("echoes", "protocol"): (echo_protocol.serve, echo_protocol.pingpong),
    ("messages", "streams"): (messages.serve, messages.send),
    ("small-messages", "streams"): (messages.serve, messages.send),
    ("handshakes", "streams"): (handshakes.serve, handshakes.shake_hands),
}


def make_parser() -> argparse.ArgumentParser:
    """The options of every workload over TCP and TLS."""
    parser = worker.parser("one side of one workload over asyncio TCP and TLS 1.3")
    parser.add_argument("--api", choices=("streams", "protocol"), default="streams")
    return parser


def main() -> None:
    """Parse the options and run one side."""
    parser = make_parser()
    options = parser.parse_args()
    workers = WORKERS.get((options.workload, options.api))
    if workers is None:
        parser.error(f"no {options.workload} by the {options.api} API")
    server, client = workers
    worker.run(server(options) if options.role == "server" else client(options), options)


if __name__ == "__main__":
    main()
