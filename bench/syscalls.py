"""System calls per GB of a bulk transfer, by `strace -c -f`, in runs of their own that no timing comes from.

Owns the counting: two runs, a short and a long one, and the difference of both, so that starting and ending
do not count. Knows no contender.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.harness import GB, BenchError, Contender, measure
from bench.places import Loopback

SHORT_SIZE, LONG_SIZE = 1 << 20, 200 << 20
TOTAL_FIELD = 3  # "100.00 0.001234 5 12345 3 total": share, seconds, microseconds a call, calls


def syscalls_per_gb(contender: Contender, folder: Path, limit: float) -> float:
    """Both processes' system calls per 10^9 bytes. Raises BenchError."""
    short, long = (_count(contender, folder, limit, size) for size in (SHORT_SIZE, LONG_SIZE))
    carried = long[1] - short[1]
    if carried <= 0:
        raise BenchError("under strace it carried nothing more in the long run")
    return (long[0] - short[0]) / carried * GB


def is_available() -> bool:
    """Whether strace is here."""
    return shutil.which("strace") is not None


def _count(contender: Contender, folder: Path, limit: float, size: int) -> tuple[int, int]:
    """System calls of both processes and the bytes that were carried in all."""
    logs = {role: folder / f"strace-{role}" for role in ("server", "client")}
    traced = Contender(
        contender.name,
        _traced(contender.server, logs["server"]),
        _traced(contender.client, logs["client"]),
        contender.environment,
        contender.rate_side,
    )
    sample = measure(traced, Loopback(), limit, size)
    calls = sum(_total_of(log) for log in logs.values())
    return calls, int(sample.server["total_size"])


def _traced(command: Sequence[str], log: Path) -> list[str]:
    return ["strace", "-c", "-f", "-o", str(log), *command]


def _total_of(log: Path) -> int:
    for line in reversed(log.read_text().splitlines()):
        fields = line.split()
        if fields and fields[-1] == "total":
            return int(fields[TOTAL_FIELD])
    raise BenchError(f"strace said nothing in {log.name}")
