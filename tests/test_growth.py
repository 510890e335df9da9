"""`python -m bench.growth`: exponents, verdicts, and that every dimension can be measured."""

from __future__ import annotations

import gc
import time

import pytest

from bench.growth import fit
from bench.growth.__main__ import DIMENSIONS
from bench.growth.fit import Dimension, Goal, Growth, Probe, fit_exponent, measure, table


def dimension(goal: Goal, *, power: float = 0.0, exact: bool = False) -> Dimension:
    """Something that costs 100 at size 1, and size ** power as much at others."""

    def prepare(size: int) -> Probe:
        return lambda: 100.0 * size**power

    return Dimension("things", "ns", (1, 10, 100), prepare, goal, exact)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_the_power_law(power: float) -> None:
    growth = measure(dimension(Goal(), power=power))
    assert growth.exponent == pytest.approx(power)
    assert growth.ratio == pytest.approx(100**power)


def test_one_point_or_no_cost_has_no_exponent() -> None:
    assert fit_exponent([(10, 5.0)]) == 0.0
    assert fit_exponent([(1, 0.0), (10, 0.0)]) == 0.0


@pytest.mark.parametrize(
    ("goal", "misses"),
    [
        (Goal(ratio=11, exponent=0.6, ceiling=1001), []),
        (Goal(ratio=9), ["ratio"]),
        (Goal(exponent=0.4), ["k"]),
        (Goal(ceiling=999), ["cost"]),
        (Goal(ratio=9, exponent=0.4, ceiling=999), ["ratio", "k", "cost"]),
    ],
    ids=str,
)
def test_each_bound_of_a_goal_is_missed_by_itself(goal: Goal, misses: list[str]) -> None:
    growth = measure(dimension(goal, power=0.5))
    assert growth.misses == misses
    assert ("meets it" in table([growth])) is (misses == [])


def test_the_median_of_the_rounds_counts_and_sizes_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "reading", lambda probe: probe())
    values = {size: iter([1e9, 3.0, 1.0, 2.0, 50.0, 2.0]) for size in (1, 10, 100)}
    order: list[int] = []

    def prepare(size: int) -> Probe:
        def probe() -> float:
            order.append(size)
            return next(values[size])

        return probe

    growth = measure(Dimension("things", "ns", (1, 10, 100), prepare, Goal()), rounds=5)
    assert growth.costs == {1: 2.0, 10: 2.0, 100: 2.0}
    assert order == [1, 10, 100] * 6  # so that a slow moment meets every size


def test_a_short_probe_is_called_again_and_its_first_cost_dropped() -> None:
    costs = iter([1e9, *([5.0] * fit.MAX_CALLS)])
    assert fit.reading(lambda: next(costs)) == 5.0


def test_a_long_probe_is_called_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0, fit.SHORT + 1])
    monkeypatch.setattr(time, "thread_time_ns", lambda: next(clock))
    costs = iter([7.0])
    assert fit.reading(lambda: next(costs)) == 7.0


def test_sizes_above_the_largest_asked_for_are_left_out() -> None:
    assert set(measure(dimension(Goal()), largest=10).readings) == {1, 10}


def test_a_probe_that_fails_leaves_the_collector_on() -> None:
    def prepare(size: int) -> Probe:
        def probe() -> float:
            raise ZeroDivisionError

        return probe

    with pytest.raises(ZeroDivisionError):
        measure(Dimension("things", "ns", (1,), prepare, Goal()))
    assert gc.isenabled()


def test_a_growth_says_all_of_itself_as_json() -> None:
    growth = Growth(dimension(Goal(ratio=2)), {1: [1.0], 10: [4.0]})
    assert growth.as_json() == {
        "name": "things",
        "unit": "ns",
        "readings": {1: [1.0], 10: [4.0]},
        "costs": {1: 1.0, 10: 4.0},
        "ratio": 4.0,
        "exponent": pytest.approx(0.602, abs=0.001),
        "goal": "ratio 2",
        "misses": ["ratio"],
    }


@pytest.mark.parametrize("each", DIMENSIONS, ids=lambda each: each.name)
def test_every_dimension_gives_a_reading_at_its_smallest_size(each: Dimension) -> None:
    assert each.prepare(each.sizes[0])() > 0 or each.exact


def test_every_dimension_has_a_name_of_its_own_a_goal_and_sizes_that_rise() -> None:
    assert len({each.name for each in DIMENSIONS}) == len(DIMENSIONS)
    for each in DIMENSIONS:
        assert str(each.goal)
        assert list(each.sizes) == sorted(set(each.sizes)) and len(each.sizes) > 2
