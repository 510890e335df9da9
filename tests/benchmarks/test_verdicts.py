"""Goals are judged by the median of what was measured in the same rounds."""

from __future__ import annotations

import pytest

from bench.goals import Goal, Sense
from bench.verdicts import judge
from benchmarks.samples import series_of

FAST = Goal("bulk", "fast", "us", 2.0, 3.0, to="them")
LEAN = Goal("bulk", "lean", "us", 1024, 400, metric="size", sense="at most", unit="B")


@pytest.mark.parametrize(("rate", "word"), [(35.0, "aim"), (25.0, "met"), (19.9, "MISSED")])
def test_a_goal_to_reach_is_met_from_its_limit_on(rate: float, word: str) -> None:
    (verdict,) = judge({"bulk": [series_of("us", rate, rate), series_of("them", 10.0, 10.0)]}, [FAST])
    assert verdict.word == word


@pytest.mark.parametrize(("size", "word"), [(400.0, "aim"), (1024.0, "met"), (1025.0, "MISSED")])
def test_a_goal_to_stay_under_is_met_up_to_its_limit(size: float, word: str) -> None:
    (verdict,) = judge({"bulk": [series_of("us", 1.0, size=size)]}, [LEAN])
    assert verdict.word == word


@pytest.mark.parametrize(("rate", "word"), [(11.0, "met"), (9.0, "met"), (12.0, "MISSED"), (8.0, "MISSED")])
def test_two_that_shall_be_alike_may_differ_either_way(rate: float, word: str) -> None:
    sense: Sense = "apart"
    goal = Goal("bulk", "alike", "us", 15, to="them", sense=sense, unit="%", factor=100.0)
    (verdict,) = judge({"bulk": [series_of("us", rate), series_of("them", 10.0)]}, [goal])
    assert verdict.word == word


def test_a_goal_with_only_an_aim_is_never_called_missed() -> None:
    goal = Goal("bulk", "far", "us", None, 100, factor=10.0)
    below, above = (judge({"bulk": [series_of("us", rate)]}, [goal])[0] for rate in (9.0, 10.0))
    assert (below.word, above.word) == ("below the aim", "aim")


def test_an_interval_on_both_sides_of_the_limit_is_not_sure() -> None:
    them = series_of("them", *[10.0] * 5)
    (sure,) = judge({"bulk": [series_of("us", *[25.0] * 5), them]}, [FAST])
    (unsure,) = judge({"bulk": [series_of("us", 25.0, 15.0, 26.0, 14.0, 21.0), them]}, [FAST])
    assert (sure.sure, unsure.sure) == (True, False)


def test_what_is_missing_is_named_and_not_judged() -> None:
    (absent,) = judge({"bulk": [series_of("us", 1.0)]}, [FAST])
    (failed,) = judge({"bulk": [series_of("us", 1.0), series_of("them")]}, [FAST])
    assert absent.word == "not measured: no them here"
    assert failed.word == "not measured: them failed"
    assert absent.found is failed.found is None


def test_goals_of_scenarios_that_were_not_run_are_left_out() -> None:
    assert judge({"streams": [series_of("us", 1.0)]}, [FAST]) == []
