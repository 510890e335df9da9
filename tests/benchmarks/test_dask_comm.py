"""Bulk over a Dask comm runs on both schemes, verifies what it carries, and both ends agree."""

from __future__ import annotations

import importlib.util

import pytest

from benchmarks.both import BothEnds

HAS_DASK = importlib.util.find_spec("distributed") is not None


@pytest.mark.skipif(not HAS_DASK, reason="Dask is not installed")
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["fastmux", "tls"])
def test_both_ends_count_the_same(scheme: str, both_ends: BothEnds, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.dask_comm import __main__ as dask_comm

    monkeypatch.setattr(dask_comm, "ARRAY_BLOCKS", 2)
    received, sent = both_ends(
        dask_comm.serve, dask_comm.send, dask_comm.make_parser(), ["--scheme", scheme, "--warmup", "0"]
    )
    assert received["total_size"] == sent["total_size"] > 0
