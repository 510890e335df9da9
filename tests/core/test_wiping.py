"""The compiled core leaves no key in memory that it has freed: another process looks at all of it.

What is shown: keys that wait for an update, and OpenSSL's key schedules. Not shown, and not promised: the
`bytes` in which Python hands keys over, and the whole pure core (docs/security.md).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastmux import constants as c

pytest.importorskip("fastmux._core")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.skipif(
        "asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer's own memory is terabytes"
    ),
]

# Keys come by `os.read`, so that Python has one copy of each, in a `bytes` that stays.
PROGRAM = """
import os, sys
from fastmux import _core as core

def show(step):
    os.write(1, step)
    os.read(0, 1)

suite, size = int(sys.argv[1]), int(sys.argv[2])
made = [os.read(0, size) for _ in range(4)]
iv = bytes(12)
path = core.DataPath(True, b"12345678")
show(b"1")
path.set_keys(suite, made[0], iv, made[1], iv)
path.set_next_keys(made[2], iv, made[3], iv)
show(b"2")
path.close()
show(b"3")
"""


class Watched:
    """A process that stops where it says so, and whose memory is searched meanwhile."""

    def __init__(self, suite: int, keys: list[bytes]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(suite), str(len(keys[0]))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._keys = keys
        self._say(b"".join(keys))

    def _say(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def counts(self, step: bytes) -> list[int]:
        """How often each key is in its memory at this step; it goes on afterwards."""
        assert self._process.stdout is not None
        assert self._process.stdout.read(1) == step
        counts = [self.count(key) for key in self._keys]
        self._say(b"\n")
        return counts

    def count(self, key: bytes) -> int:
        """How often these bytes are in its memory."""
        return sum(piece.count(key) for piece in self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        place = Path("/proc") / str(self._process.pid)
        with (place / "mem").open("rb", buffering=0) as memory:
            for line in (place / "maps").read_text().splitlines():
                limits, mode, *_ = line.split()
                if not mode.startswith("rw") or line.endswith(("[vvar]", "[vsyscall]")):
                    continue
                start, stop = (int(limit, 16) for limit in limits.split("-"))
                memory.seek(start)
                yield memory.read(stop - start)

    def end(self) -> None:
        """End the process."""
        self._process.communicate(timeout=20)


@pytest.mark.parametrize("suite", [c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM, c.SUITE_CHACHA20_POLY1305])
def test_no_key_is_in_memory_that_the_core_has_freed(suite: int) -> None:
    size = c.SUITE_KEY_SIZES[suite]
    watched = Watched(suite, [hashlib.sha256(b"wiping %d" % number).digest()[:size] for number in range(4)])
    try:
        made, held, closed = (watched.counts(step) for step in (b"1", b"2", b"3"))
    except PermissionError:
        pytest.skip("this system lets nobody look into another process")
    finally:
        watched.end()
    assert made == [1, 1, 1, 1]
    assert held[2:] == [2, 2]  # the keys to come wait where they were put: no copy stays on the stack either
    assert closed == [1, 1, 1, 1]
