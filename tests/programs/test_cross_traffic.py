"""fastmux beside one CUBIC flow of the kernel's TCP, through one queue: neither starves the other (fault F2).

One transfer of 6 MB each, where the fault table has the median of three of 25 MB: that is
`PYTHONPATH=tests python -m programs.crossing cubic bbr`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from programs.crossing import MEGABYTE, cross

SIZE = 6 * MEGABYTE
LEAST, MOST = 0.25, 0.75
USED = 0.8  # of the link by both; a full one has 95 % of payload


@pytest.mark.parametrize("build", ["compiled", "pure"])
@pytest.mark.parametrize("congestion", ["cubic", "bbr"])
def test_fastmux_and_the_kernels_tcp_share_a_bottleneck(
    congestion: str, build: str, credentials: Path, tmp_path: Path
) -> None:
    found = cross(congestion, SIZE, build, credentials, tmp_path)
    print(f"\n{congestion}, {build} core: {found}")
    assert LEAST <= found.share <= MOST
    assert found.utilisation >= USED
