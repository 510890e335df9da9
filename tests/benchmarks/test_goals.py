"""The goals speak of scenarios and contenders that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import sansio
from bench.contenders import Times, Workshop
from bench.goals import GOALS, Goal
from bench.scenarios import LOSSY, SCENARIOS

PEERS = {"aioquic", "qh3", "aiopquic"}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The contenders of each scenario; the peers and BBR count as there, whatever is installed."""
    shop = Workshop(tmp_path_factory.mktemp("shop"))
    found = {"sansio": {f"{core}, {suite}" for core in sansio.MODULES for suite in sansio.SUITES}}
    for scenario in SCENARIOS:
        found[scenario.name] = {each.name for each in scenario.contenders(shop, Times(1.0, 0.1))} | PEERS
    found["link"] |= set(LOSSY.values())
    found["bulk"] |= {"floor (C, no protocol)"}
    return found


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.text)
def test_a_goal_names_contenders_of_its_scenario(goal: Goal, names: dict[str, set[str]]) -> None:
    assert {goal.of, goal.to or goal.of} <= names[goal.scenario]


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.text)
def test_an_aim_asks_for_more_than_the_must(goal: Goal) -> None:
    if goal.must is None or goal.aim is None:
        assert goal.must is not None or goal.aim is not None
    else:
        assert (goal.aim > goal.must) == (goal.sense == "at least")


def test_contenders_of_a_scenario_have_names_of_their_own(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    for scenario in SCENARIOS:
        every = [each.name for each in scenario.contenders(shop, Times(1.0, 0.1))]
        assert len(set(every)) == len(every)


def test_every_scenario_that_is_no_goal_of_ours_is_a_comparison_in_another_place_or_of_both_ways() -> None:
    without = {scenario.name for scenario in SCENARIOS} - {goal.scenario for goal in GOALS}
    by_port = {"portmux", "portmux-echoes", "portmux-churn", "portmux-idle"}
    assert without == {"streams", "veth-bulk", "veth-pingpong"} | by_port
