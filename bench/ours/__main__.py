"""One side of one workload over fastmux.

    python -m bench.ours server|client --workload W --certificates DIR [--port N] [--loop uvloop] …

The core is what the environment says (FASTMUX_NO_EXTENSIONS). Owns the options and which file has which
workload. Knows nothing of the peers that it is measured beside.
"""

import argparse
from collections.abc import Callable, Coroutine
from typing import Any

from bench import worker
from bench.ours import bulk, connections, echo, messages, wakeups
from bench.ours.busy import start_busy_thread
from bench.ours.controllers import DEFAULT

Side = Callable[[argparse.Namespace], Coroutine[Any, Any, None]]

WORKLOADS: dict[str, tuple[Side, Side]] = {
    "bulk": (bulk.serve, bulk.send),
    "streams": (bulk.serve, bulk.send),
    "pingpong": (echo.serve, echo.pingpong),
    "echoes": (echo.serve, echo.pingpong),
    "churn": (echo.serve, echo.churn),
    "messages": (messages.serve, messages.send),
    "small-messages": (messages.serve, messages.send),
    "handshakes": (connections.serve_handshakes, connections.shake_hands),
    "connections": (connections.serve_idle, connections.keep_idle),
}


def make_parser() -> argparse.ArgumentParser:
    """The options of every workload over fastmux."""
    options = worker.parser("one side of one workload over fastmux")
    options.add_argument("--plaintext", action="store_true")
    options.add_argument("--datagram-size", type=int, default=1452)
    options.add_argument("--congestion", default=DEFAULT, help="the name of the congestion controller")
    options.add_argument("--window", type=int, help="no channel and no connection gets more credit than this")
    options.add_argument("--connections", type=int, default=1, help="bulk: so many, each with its streams")
    options.add_argument("--idle", type=int, default=0, help="bulk: so many idle streams beside it")
    options.add_argument(
        "--pings", action="store_true", help="bulk: measure round trips before and during it"
    )
    options.add_argument("--ports", action="store_true", help="a UDP port for each channel")
    options.add_argument("--wakeups", action="store_true", help="count how often the event loop is woken")
    options.add_argument("--busy", action="store_true", help="with a Python thread that never rests")
    return options


def main() -> None:
    """Parse the options and run one side."""
    options = make_parser().parse_args()
    if options.busy:
        start_busy_thread()
    server, client = WORKLOADS[options.workload]
    factory = wakeups.counting_loop if options.wakeups else None
    worker.run(server(options) if options.role == "server" else client(options), options, factory)


if __name__ == "__main__":
    main()
