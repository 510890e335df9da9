"""The main job, from the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from e2e.support import environment
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
