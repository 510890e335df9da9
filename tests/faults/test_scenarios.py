"""Every scenario in its quick form: the figures of docs/reliability.md are those of `make faults`."""

from __future__ import annotations

import pytest

from fastmux import core
from faults.catalogue import everything
from faults.scenario import Outcome, Scenario, Terms

# The pure core plays each scenario once; what a controller does is Python on both cores.
PLAYED = [
    pytest.param(scenario, congestion, id=f"{scenario.name}, {congestion}")
    for scenario, congestion in everything()
    if core.IMPLEMENTATION != "python" or congestion == scenario.controllers[0]
]


@pytest.mark.parametrize(("scenario", "congestion"), PLAYED)
def test_a_fault_is_survived_within_its_limit(scenario: Scenario, congestion: str) -> None:
    outcome = scenario.play(Terms(congestion, quick=True))
    assert scenario.judge(outcome, congestion) != "FAILED", outcome


def test_a_limit_that_is_known_to_be_missed_is_missed_by_so_much_and_no_more() -> None:
    scenario = Scenario(row="F1", title="", play=lambda terms: Outcome(1, 1), missed={"cubic": 2.0})
    assert scenario.judge(Outcome(1.0, 1.0), "cubic") == "ok"
    assert scenario.judge(Outcome(2.0, 1.0), "cubic") == "missed"
    assert scenario.judge(Outcome(2.1, 1.0), "cubic") == "FAILED"
    assert scenario.judge(Outcome(2.0, 1.0), "bbr") == "FAILED"
    assert scenario.judge(Outcome(0.4, 0.7, at_least=True), "cubic") == "missed"
    assert scenario.judge(Outcome(0.3, 0.7, at_least=True), "cubic") == "FAILED"
