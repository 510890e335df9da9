"""Every workload over fastmux runs, verifies what it carries, and both ends agree."""

from __future__ import annotations

import pytest

from bench.ours import __main__ as ours
from bench.ours.controllers import controller_setting
from benchmarks.both import BothEnds, Results

OPTIONS = {
    "bulk": ["--pings"],
    "streams": ["--count", "5", "--connections", "2"],
    "pingpong": [],
    "echoes": ["--count", "5"],
    "churn": ["--count", "5"],
    "messages": [],
    "small-messages": [],
    "handshakes": [],
    "connections": ["--count", "3"],
}


def run(both_ends: BothEnds, workload: str, *more: str) -> Results:
    server, client = ours.WORKLOADS[workload]
    return both_ends(server, client, ours.make_parser(), ["--workload", workload, *more])


def test_every_workload_is_tried_here() -> None:
    assert OPTIONS.keys() == ours.WORKLOADS.keys()


@pytest.mark.parametrize("workload", OPTIONS)
def test_both_ends_count_the_same(workload: str, both_ends: BothEnds) -> None:
    server, client = run(both_ends, workload, *OPTIONS[workload])
    key = "total_size" if "total_size" in server else "total_operations"
    assert server[key] == client[key]
    assert int(str(server[key])) > 0


def test_idle_streams_are_measured_at_both_ends(both_ends: BothEnds) -> None:
    server, client = run(both_ends, "bulk", "--idle", "50")
    for side in (server, client):
        detail = side["detail"]
        assert isinstance(detail, dict)
        assert detail["idle_channel_size"] >= 0


def test_a_small_window_and_no_encryption_are_taken(both_ends: BothEnds) -> None:
    server, client = run(both_ends, "bulk", "--window", "65536", "--plaintext", "--datagram-size", "8900")
    assert server["total_size"] == client["total_size"]


def test_cubic_is_what_there_is_without_asking() -> None:
    assert controller_setting("cubic") == {}


def test_a_controller_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="congestion"):
        controller_setting("no-such-controller")
