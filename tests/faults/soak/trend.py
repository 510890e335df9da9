"""How a figure goes over time: a line through its samples.

Owns: the fit. May not know: what was sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from typing import NamedTuple


class Trend(NamedTuple):
    """Rise per second, and its standard error (infinite for fewer than three samples)."""

    slope: float
    error: float


def fit(samples: Sequence[tuple[float, float]]) -> Trend:
    """Fit a line by least squares through `(time, value)`. Raises `ValueError` for fewer than two times."""
    count = len(samples)
    if len({at for at, _ in samples}) < 2:
        raise ValueError("a trend takes samples of two times at least")
    mean_at = sum(at for at, _ in samples) / count
    mean = sum(value for _, value in samples) / count
    spread = sum((at - mean_at) ** 2 for at, _ in samples)
    slope = sum((at - mean_at) * (value - mean) for at, value in samples) / spread
    if count < 3:
        return Trend(slope, inf)
    rest = sum((value - mean - slope * (at - mean_at)) ** 2 for at, value in samples)
    return Trend(slope, sqrt(rest / (count - 2) / spread))
