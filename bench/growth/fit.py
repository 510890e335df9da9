"""A dimension of growth: its sizes, its goal, and what its readings come to.

Owns: interleaving, medians, the exponent, the verdict. May not know: what is measured.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

DECADES: Final = (1, 10, 100, 1_000, 10_000, 100_000)
ROUNDS: Final = 7
Probe = Callable[[], float]
"""What one operation costs now. Called at least once a round."""
SHORT: Final = 2_000_000  # nanoseconds: a probe that takes less is called again
MAX_CALLS: Final = 50


@dataclass(frozen=True, slots=True)
class Goal:
    """What must hold: cost at the largest size over that at the smallest, the exponent, the largest cost."""

    ratio: float = math.inf
    exponent: float = math.inf
    ceiling: float = math.inf

    def __str__(self) -> str:
        bounds = [("ratio", self.ratio), ("k", self.exponent), ("at most", self.ceiling)]
        return ", ".join(f"{name} {bound:g}" for name, bound in bounds if bound < math.inf)


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something that grows. `prepare(n)` sets it up with n of it and gives the probe that reads the cost.

    `unit` says what a reading is. A dimension that is `exact` (bytes, entries) needs one round only.
    """

    name: str
    unit: str
    sizes: tuple[int, ...]
    prepare: Callable[[int], Probe]
    goal: Goal
    exact: bool = False


@dataclass(slots=True)
class Growth:
    """The readings of one dimension, by size."""

    dimension: Dimension
    readings: dict[int, list[float]] = field(default_factory=dict)

    @property
    def costs(self) -> dict[int, float]:
        """The median of each size."""
        return {size: statistics.median(values) for size, values in self.readings.items()}

    @property
    def ratio(self) -> float:
        """The cost at the largest size over the cost at the smallest."""
        costs = list(self.costs.values())
        return costs[-1] / costs[0] if costs[0] else math.inf if costs[-1] else 1.0

    @property
    def exponent(self) -> float:
        """k of cost ~ size^k."""
        return fit_exponent(self.costs.items())

    @property
    def misses(self) -> list[str]:
        """Which bounds of the goal do not hold."""
        goal, largest = self.dimension.goal, list(self.costs.values())[-1]
        held = {
            "ratio": self.ratio <= goal.ratio,
            "k": self.exponent <= goal.exponent,
            "cost": largest <= goal.ceiling,
        }
        return [name for name, holds in held.items() if not holds]

    def as_json(self) -> dict[str, object]:
        """Everything, for the result file."""
        return {
            "name": self.dimension.name,
            "unit": self.dimension.unit,
            "readings": self.readings,
            "costs": self.costs,
            "ratio": self.ratio,
            "exponent": self.exponent,
            "goal": str(self.dimension.goal),
            "misses": self.misses,
        }


def fit_exponent(costs: Iterable[tuple[int, float]]) -> float:
    """Least squares over the logarithms; 0.0 where all costs are 0 or there is one size only."""
    points = [(math.log(size), math.log(cost)) for size, cost in costs if cost > 0]
    if len(points) < 2:
        return 0.0
    x, y = np.array(points).T
    return float(np.polyfit(x, y, 1)[0])


def reading(probe: Probe) -> float:
    """One reading. A short probe is called for 2 ms, the first time only to have its data near again."""
    began = time.thread_time_ns()
    costs = [probe()]
    if time.thread_time_ns() - began < SHORT:
        costs.clear()
        while len(costs) < MAX_CALLS and (not costs or time.thread_time_ns() - began < SHORT):
            costs.append(probe())
    return statistics.median(costs)


def measure(dimension: Dimension, rounds: int = ROUNDS, largest: int | None = None) -> Growth:
    """Set every size up, then read all of them in turn, `rounds` times after one call that warms up."""
    sizes = [size for size in dimension.sizes if largest is None or size <= largest]
    probes = {size: dimension.prepare(size) for size in sizes}
    growth = Growth(dimension, {size: [] for size in sizes})
    gc.collect()
    gc.freeze()  # what was set up is not what a collection in the middle should walk
    gc.disable()
    try:
        for probe in probes.values():
            probe()
        for _ in range(1 if dimension.exact else rounds):
            for size, probe in probes.items():
                growth.readings[size].append(probe() if dimension.exact else reading(probe))
    finally:
        gc.enable()
        gc.unfreeze()
    return growth


class Stopwatch:
    """Nanoseconds of this thread's CPU: other processes on the machine take none of it."""

    __slots__ = ("_started", "total")

    def __init__(self) -> None:
        self.total = 0
        self._started = 0

    def __enter__(self) -> Stopwatch:
        self._started = time.thread_time_ns()
        return self

    def __exit__(self, *exception: object) -> None:
        self.total += time.thread_time_ns() - self._started


def table(growths: Iterable[Growth]) -> str:
    """One line for each dimension."""
    lines = [
        "| dimension | unit | range | smallest | largest | ratio | k | goal | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in growths:
        sizes, costs = list(each.costs), list(each.costs.values())
        verdict = f"misses {', '.join(each.misses)}" if each.misses else "meets it"
        lines.append(
            f"| {each.dimension.name} | {each.dimension.unit} | {sizes[0]:,} to {sizes[-1]:,}"
            f" | {costs[0]:,.0f} | {costs[-1]:,.0f} | {each.ratio:.2f} | {each.exponent:+.3f}"
            f" | {each.dimension.goal} | {verdict} |"
        )
    return "\n".join(lines)
