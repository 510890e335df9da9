"""Medians, ratios taken round by round, and how sure they are.

Owns the statistics, by numpy. Knows no contender.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy

RESAMPLES = 2000
CONFIDENCE = 95.0
SEED = 20_260


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median over rounds, and the interval that CONFIDENCE per cent of the resampled medians lie in."""

    median: float
    low: float
    high: float
    rounds: int


def estimate(values: Sequence[float]) -> Estimate:
    """The median and its bootstrap interval (percentile method). Raises ValueError for no values."""
    if not values:
        raise ValueError("no values")
    array = numpy.asarray(values, dtype=float)
    generator = numpy.random.default_rng(SEED)
    picked = generator.integers(0, len(array), size=(RESAMPLES, len(array)))
    medians = numpy.median(array[picked], axis=1)
    tail = (100.0 - CONFIDENCE) / 2
    low, high = numpy.percentile(medians, [tail, 100.0 - tail])
    return Estimate(float(numpy.median(array)), float(low), float(high), len(array))


def paired_ratio(above: Mapping[int, float], below: Mapping[int, float]) -> Estimate:
    """The ratio within each round that has both, then as `estimate`. Raises ValueError if no round has."""
    rounds = sorted(above.keys() & below.keys())
    return estimate([above[number] / below[number] for number in rounds])
