"""The demo's judgement fails for each thing that can be wrong."""

from __future__ import annotations

from typing import Any

from fastmux.tunnel.demo.verdict import judge


def report(**changes: Any) -> dict[str, Any]:
    """A leg in which everything was right, but for `changes`."""
    right: dict[str, Any] = {
        "jobs": [{"job": "file", "kind": "stream", "verified": True}],
        "pings": [{"p50": 0.001, "p99": 0.002}, {"p50": 0.001, "p99": 0.002}],
        "stalled": True,
    }
    return right | changes


def test_a_right_leg_has_no_faults() -> None:
    assert judge(report()) == []


def test_a_hash_that_differs_is_a_fault_that_names_the_job() -> None:
    (fault,) = judge(report(jobs=[{"job": "http", "kind": "stream", "verified": False}]))
    assert "http" in fault


def test_a_sleeper_that_did_not_stand_still_tested_nothing() -> None:
    assert len(judge(report(stalled=False))) == 1


def test_pings_held_up_by_the_sleeper_are_a_fault_with_both_figures() -> None:
    pings = [{"p50": 0.001, "p99": 0.002}, {"p50": 0.100, "p99": 0.2}]
    (fault,) = judge(report(pings=pings))
    assert "100.00 ms" in fault
    assert "1.00 ms" in fault
