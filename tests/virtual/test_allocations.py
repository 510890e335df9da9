"""Where the core gets no memory its connection ends with an error, and the process goes on (F39)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastmux import core
from virtual.allocations import SHIM

TESTS = Path(__file__).parent.parent
CONNECTIONS = 40
# `MemoryError` is what a caller gets whose own call found no memory.
ENDINGS = {"whole", "ConnectionClosed", "HandshakeError", "MemoryError", "TimeoutError", "ChannelReset"}

has_shim = pytest.mark.skipif(
    core.IMPLEMENTATION != "cython"
    or sys.platform != "linux"
    or shutil.which("gcc") is None
    or "LD_PRELOAD" in os.environ,  # of the sanitizers, which have a malloc of their own
    reason="needs the compiled core, gcc, glibc's malloc",
)


@has_shim
def test_one_allocation_in_a_hundred_fails_and_every_wait_ends(tmp_path: Path) -> None:
    shim = tmp_path / "allocations.so"
    source = TESTS / "virtual" / "allocations.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", shim, source], check=True, timeout=60)
    environment = {**os.environ, "LD_PRELOAD": str(shim), SHIM: str(shim)}
    environment["PYTHONPATH"] = f"{TESTS}:{TESTS.parent}"
    done = subprocess.run(
        [sys.executable, "-m", "virtual.allocations", str(CONNECTIONS)],
        cwd=TESTS,
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["failed"] > CONNECTIONS / 4
    assert told["reports"] == []
    assert told["live"] == [0, 0]
    assert set(told["endings"]) <= ENDINGS
    assert told["endings"]["ConnectionClosed"] > 0
