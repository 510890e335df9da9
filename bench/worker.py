"""What every worker shares: its options, its two measures and the lines of JSON it prints.

A worker is one process, server or client, of one workload. The server prints `{"port": …}`, then both print
one result line. `Meter` counts the bytes of a transfer, `Operations` round trips, messages, channels or
handshakes, and how long each took. Owns these lines and the measures (wall and CPU seconds after the warm-up,
peak RSS). Knows no transport.
"""

import argparse
import asyncio
import gc
import importlib
import json
import math
import resource
import sys
import time
from array import array
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

Result = dict[str, object]

GRACE_SECONDS = 10.0
"""Past the seconds asked for, if `--grace` says nothing: connecting, the last window, the goodbye."""


WORKLOADS = {
    "bulk": 1,
    "streams": 100,
    "pingpong": 1,
    "echoes": 100,
    "churn": 64,
    "messages": 1,
    "small-messages": 1,
    "handshakes": 1,
    "connections": 1000,
}
"""The workloads that any contender may have, with the default of --count; README.md says what it counts."""

PINGPONG_SIZE = 64
ECHO_SIZE = 100
MESSAGE_SIZE = 16384
SMALL_MESSAGE_SIZE = 64


def parser(description: str) -> argparse.ArgumentParser:
    """The options of every worker; a worker adds its own. Sizes in bytes, times in seconds."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("role", choices=("server", "client"))
    options.add_argument("--workload", choices=WORKLOADS, default="bulk")
    options.add_argument("--host", default="127.0.0.1", help="where the server listens; a numeric address")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--count", type=int, help="streams, connections, or operations in flight")
    options.add_argument("--certificates", type=Path, help="a folder of throwaway certificates")
    options.add_argument("--seconds", type=float, default=3.0, help="the client stops sending then")
    options.add_argument("--size", type=int, default=1 << 40, help="or after so many bytes")
    options.add_argument("--warmup", type=float, default=0.5, help="not measured; within --seconds")
    options.add_argument(
        "--grace", type=float, default=GRACE_SECONDS, help="past --seconds; then the worker fails"
    )
    options.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    return options


def count_of(options: argparse.Namespace) -> int:
    """`--count`, or what the workload has by default."""
    return WORKLOADS[options.workload] if options.count is None else int(options.count)


class Meter:
    """Bytes, wall and CPU seconds of this process from the end of the warm-up on.

    Invariant: everything before the mark (`_marked_*`) is left out of the result; the mark moves once.
    """

    def __init__(self, seconds: float, warmup: float, max_size: int = 1 << 62) -> None:
        self.size = 0
        self._seconds = seconds
        self._warmup = warmup
        self._max_size = max_size
        self._marked = False
        self._started_at = self._marked_at = time.monotonic()
        self._marked_cpu = _cpu_seconds()
        self._marked_size = 0

    def add(self, size: int) -> bool:
        """Counts bytes sent or received; False once the sender has done its time or its size."""
        self.size += size
        elapsed = time.monotonic() - self._started_at
        if not self._marked and elapsed >= self._warmup:
            self._marked = True
            self._marked_at = time.monotonic()
            self._marked_cpu = _cpu_seconds()
            self._marked_size = self.size
        return elapsed < self._seconds and self.size < self._max_size

    def result(self, role: str, detail: Mapping[str, object]) -> Result:
        """The result line; call it when the last byte is verified, before anything is torn down."""
        return {
            "role": role,
            "total_size": self.size,
            "size": self.size - self._marked_size,
            "seconds": time.monotonic() - self._marked_at,
            "cpu_seconds": _cpu_seconds() - self._marked_cpu,
            "rss_size": _peak_rss_size(),
            "detail": dict(detail),
        }


class Operations:
    """Operations, their latencies, wall and CPU seconds of this process from the end of the warm-up on.

    Invariant: as `Meter`; `_latencies` has those given after the mark, in seconds.
    """

    def __init__(self, seconds: float, warmup: float) -> None:
        self.operations = 0
        self._seconds = seconds
        self._warmup = warmup
        self._marked = False
        self._latencies = array("d")
        self._started_at = self._marked_at = time.monotonic()
        self._marked_cpu = _cpu_seconds()
        self._marked_operations = 0

    def add(self, n: int = 1, latency: float | None = None) -> bool:
        """Counts operations that are complete and verified; False once the client has done its time."""
        self.operations += n
        elapsed = time.monotonic() - self._started_at
        if self._marked:
            if latency is not None:
                self._latencies.append(latency)
        elif elapsed >= self._warmup:
            self._marked = True
            self._marked_at = time.monotonic()
            self._marked_cpu = _cpu_seconds()
            self._marked_operations = self.operations
        return elapsed < self._seconds

    def result(self, role: str, detail: Mapping[str, object]) -> Result:
        """The result line; call it when the last operation is over, before anything is torn down."""
        seconds, cpu = time.monotonic() - self._marked_at, _cpu_seconds() - self._marked_cpu
        ordered = sorted(self._latencies)
        return {
            "role": role,
            "total_operations": self.operations,
            "operations": self.operations - self._marked_operations,
            "seconds": seconds,
            "cpu_seconds": cpu,
            "rss_size": _peak_rss_size(),
            "latencies": {"p50": _percentile(ordered, 0.5), "p99": _percentile(ordered, 0.99)},
            "detail": dict(detail),
        }


def _percentile(ordered: list[float], share: float) -> float | None:
    """The smallest value that is not below `share` of them (nearest rank); None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


_STATUS = Path("/proc/self/status")
_DESCRIPTORS = Path("/proc/self/fd")
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def _peak_rss_size() -> int:
    """Peak RSS in bytes. Linux carries ru_maxrss over exec, so a small worker would show its parent's."""
    if _STATUS.exists():
        return _status_size("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT


def rss_size() -> int:
    """What this process holds in memory now, in bytes, after a collection of garbage. Linux only."""
    gc.collect()
    return _status_size("VmRSS")


def open_files() -> int | None:
    """How many descriptors this process has open; None where nobody can say."""
    return len(list(_DESCRIPTORS.iterdir())) if _DESCRIPTORS.exists() else None


def _status_size(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{_STATUS} has no {name}")


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def announce(line: Mapping[str, object]) -> None:
    """One line of JSON to the harness."""
    print(json.dumps(line), flush=True)


def run(
    main: Coroutine[Any, Any, None],
    options: argparse.Namespace,
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Runs a worker on its loop, for `--seconds` and `--grace` at the most (TimeoutError).

    The grace is for connecting, the last window and the goodbye. `factory` makes the loop where it must be
    one of a kind.
    """
    if options.loop == "uvloop":
        factory = importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(main, options.seconds + options.grace))
