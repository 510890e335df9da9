"""The tables say what failed and what is missing."""

from __future__ import annotations

from bench.contenders import FLOOR, tls_name
from bench.goals import Goal
from bench.scenarios import SCENARIOS
from bench.tables import goals_table, sansio_table, scenario_table
from bench.verdicts import judge
from benchmarks.samples import series_of

BULK = SCENARIOS[0]


def rows_of(table: str) -> dict[str, list[str]]:
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    return {first: rest for first, *rest in cells}


def test_ratios_are_to_the_floor_and_to_tls() -> None:
    every = [series_of(FLOOR, 100.0), series_of(tls_name(), 25.0), series_of("fastmux", 50.0)]
    row = rows_of(scenario_table(BULK, every, "loopback"))["fastmux"]
    assert row == ["50", "50 to 50", "2.00", "50%", "2.00", "50 + 60"]


def test_a_contender_that_failed_is_named_as_failed() -> None:
    table = scenario_table(BULK, [series_of(tls_name(), 25.0), series_of("fastmux")], "loopback")
    assert rows_of(table)["fastmux"][0] == "failed"


def test_system_calls_that_were_not_counted_are_a_dash() -> None:
    every = [series_of(tls_name(), 25.0), series_of("fastmux", 50.0)]
    rows = rows_of(scenario_table(BULK, every, "loopback", {"fastmux": 12345.6}))
    assert (rows["fastmux"][-1], rows[tls_name()][-1]) == ("12,346", "-")


def test_a_goal_is_printed_with_its_limits_and_how_sure_it_is() -> None:
    goal = Goal("bulk", "fast", "us", 2.0, 3.0, to="them")
    measured = {"bulk": [series_of("us", 30.0, 10.0, 30.0), series_of("them", 10.0, 10.0, 10.0)]}
    row = rows_of(goals_table(judge(measured, [goal])))["fast"]
    assert row == ["3.00 x", "1.00 to 3.00", "≥ 2 x", "≥ 3 x", "aim (unsure)"]


def test_a_goal_that_was_not_measured_says_why() -> None:
    goal = Goal("bulk", "fast", "us", 2.0, to="them")
    row = rows_of(goals_table(judge({"bulk": [series_of("us", 30.0)]}, [goal])))["fast"]
    assert row == ["-", "-", "≥ 2 x", "-", "not measured: no them here"]


def test_the_core_alone_is_compared_with_the_pure_core_of_the_same_suite() -> None:
    every = [
        series_of("python, null", 1.0, sending=5000.0, receiving=5000.0),
        series_of("cython, null", 1.0, sending=120.0, receiving=80.0),
    ]
    assert rows_of(sansio_table(every))["cython, null"] == ["120", "80", "50"]
