"""A run answers for what it leaves itself."""

from __future__ import annotations

import gc

from fastmux import core
from sim.runs import run_seed


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
