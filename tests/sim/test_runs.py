"""A run answers for what it leaves itself."""

from __future__ import annotations

import gc

import pytest

from fastmux import core
from sim.runs import run_seed


@pytest.mark.skipif(core.IMPLEMENTATION == "python", reason="the pure core does not count range sets")
def test_what_somebody_else_left_is_not_this_runs() -> None:
    gc.disable()
    try:
        left: list[object] = [core.RangeSet((2 * n, 2 * n + 1) for n in range(10_000))]
        left.append(left)  # only the collector frees it
        del left
        assert core.live()[0] > 4096
        run_seed(1)
    finally:
        gc.enable()
