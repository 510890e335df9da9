"""The main job, from the command line."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2e.support import environment, linux_only
from fastmux import core

TIMEOUT = 90


@pytest.mark.slow
def test_the_demo_passes_on_a_clean_and_on_a_hostile_link() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "fastmux", "demo", "--size", "1", "--core", core.IMPLEMENTATION],
        env=environment(core.IMPLEMENTATION),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    for text in ("clean leg:", "hostile leg:", "demo passed"):
        assert text in finished.stdout
    assert finished.stdout.count("every hash equal; the sleeping channel held nothing up") == 2
    assert f"core {core.IMPLEMENTATION}" in finished.stdout


@pytest.mark.slow
@linux_only
def test_a_demo_that_is_terminated_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its keys and files stayed in the directory for temporary files."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fastmux", "demo", "--size", "16", "--core", core.IMPLEMENTATION],
        env={**environment(core.IMPLEMENTATION), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()  # its first line comes just before its files
        deadline = time.monotonic() + TIMEOUT
        while not list(tmp_path.glob("fastmux-demo-*/demo/ca.pem")):
            assert time.monotonic() < deadline
            select.select([], [], [], 0.01)
        process.terminate()
        process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 255
    assert list(tmp_path.iterdir()) == []
