"""Whether each goal was met in this run.

Owns the judgement: the median of the rounds counts, the interval beside it says how sure it is. Knows
neither contenders nor tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.figures import Estimate, estimate
from bench.goals import GOALS, Goal
from bench.harness import Series

Measured = Mapping[str, Sequence[Series]]
"""The series of each scenario that was run."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and what was measured for it; without an estimate, `word` says why there is none.

    `word` is "aim" (both met), "met", "MISSED", or "not measured: …"; `sure` is False where the interval
    lies on both sides of the limit that counts.
    """

    goal: Goal
    found: Estimate | None
    word: str
    sure: bool = True


def judge(measured: Measured, goals: Sequence[Goal] = GOALS) -> list[Verdict]:
    """One verdict for each goal of the scenarios that were run."""
    return [_verdict(goal, measured[goal.scenario]) for goal in goals if goal.scenario in measured]


def _verdict(goal: Goal, every: Sequence[Series]) -> Verdict:
    named = {series.name: series for series in every}
    by_round: list[Mapping[int, float]] = []
    for name in (goal.of,) if goal.to is None else (goal.of, goal.to):
        series = named.get(name)
        if series is None:
            return Verdict(goal, None, f"not measured: no {name} here")
        values = {
            number: sample.values[goal.metric]
            for number, sample in series.samples.items()
            if goal.metric in sample.values
        }
        if not values:
            return Verdict(goal, None, f"not measured: {name} failed")
        by_round.append(values)
    rounds = sorted(set.intersection(*(set(values) for values in by_round)))
    if not rounds:
        return Verdict(goal, None, "not measured: no round has both")
    found = estimate([_value(goal, [values[number] for values in by_round]) for number in rounds])
    return Verdict(goal, found, *_word(goal, found))


def _value(goal: Goal, values: Sequence[float]) -> float:
    value = values[0] if len(values) == 1 else values[0] / values[1]
    return (abs(value - 1) if goal.sense == "apart" else value) * goal.factor


def _meets(goal: Goal, value: float, limit: float) -> bool:
    return value >= limit if goal.sense == "at least" else value <= limit


def _word(goal: Goal, found: Estimate) -> tuple[str, bool]:
    aimed = goal.aim is not None and _meets(goal, found.median, goal.aim)
    limit = goal.must if goal.must is not None else goal.aim
    assert limit is not None, "a goal has a must, an aim or both"
    met = _meets(goal, found.median, limit)
    if goal.must is None and not aimed:
        word = "below the aim"
    else:
        word = "aim" if aimed else "met" if met else "MISSED"
    return word, _meets(goal, found.low, limit) == _meets(goal, found.high, limit)
