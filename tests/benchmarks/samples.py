"""Series with given figures, for what judges and prints them."""

from __future__ import annotations

from collections.abc import Mapping

from bench.harness import Sample, Series

FIGURES = {"cpu": 2.0, "rss_server": 5e7, "rss_client": 6e7}


def series_of(name: str, *rates: float, **more: float) -> Series:
    """A series with these rates, round by round; `more` are further figures, the same in each round."""
    values: list[Mapping[str, float]] = [{"rate": rate, **FIGURES, **more} for rate in rates]
    return Series(name, {number: Sample(each, {}, {}) for number, each in enumerate(values)})
