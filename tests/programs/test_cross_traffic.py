"""fastmux beside one CUBIC flow of the kernel's TCP, through one queue: neither starves the other (fault F2).

The transfers are smaller than the 25 MB of the fault table, so that three of them fit into a minute; the
whole is `PYTHONPATH=tests python -m programs.crossing cubic bbr`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from programs.crossing import MEGABYTE, cross, median_share

RUNS = 3
SIZE = 6 * MEGABYTE
LEAST, MOST = 0.25, 0.75
USED = 0.8  # of the link by both; a full one has 95 % of payload


@pytest.mark.timeout(240)  # of three runs that are given up; usually it takes 14 s a run
@pytest.mark.parametrize(
    ("congestion", "build", "runs"),
    [("cubic", "compiled", RUNS), ("bbr", "compiled", RUNS), ("cubic", "pure", 1), ("bbr", "pure", 1)],
)
def test_fastmux_and_the_kernels_tcp_share_a_bottleneck(
    congestion: str, build: str, runs: int, credentials: Path, tmp_path: Path
) -> None:
    found = [cross(congestion, SIZE, build, credentials, tmp_path) for _ in range(runs)]
    print(f"\n{congestion}, {build} core:", *found, sep="\n  ")
    assert LEAST <= median_share(found) <= MOST, f"the shares of {congestion}: {[run.share for run in found]}"
    assert min(each.utilisation for each in found) >= USED
