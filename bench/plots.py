"""A plot of each scenario and one of the goals, as PNG.

Owns the drawing, by matplotlib. Knows nothing of how the figures came about.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.figures import estimate
from bench.harness import Series
from bench.scenarios import BYTES
from bench.verdicts import Verdict

mpl.use("Agg")

WIDTH = 9.0
BAR_HEIGHT = 0.38
DPI = 120
OURS, THEIRS, BAD = "#0b6e99", "#9aa5b1", "#b23a48"
LOG_SPAN = 30.0  # from here on the smallest bar would vanish beside the largest


def plot_scenario(title: str, unit: str, every: Sequence[Series], path: Path) -> None:
    """A bar a contender: the median, with a line from the slowest to the fastest round."""
    shown = [series for series in every if series.samples]
    if not shown:
        return
    figure = Figure(figsize=(WIDTH, 1.2 + BAR_HEIGHT * len(shown)), layout="constrained")
    axes = figure.subplots()
    medians = [estimate(series.values("rate")).median for series in shown]
    low = [median - min(series.values("rate")) for series, median in zip(shown, medians, strict=True)]
    high = [max(series.values("rate")) - median for series, median in zip(shown, medians, strict=True)]
    colours = [OURS if series.name.startswith("fastmux") else THEIRS for series in shown]
    names = [series.name for series in shown]
    axes.barh(names, medians, xerr=[low, high], color=colours, ecolor="#333333", capsize=3)
    axes.invert_yaxis()
    if max(medians) / min(medians) > LOG_SPAN:
        axes.set_xscale("log")
        axes.set_xlim(left=10 ** math.floor(math.log10(min(medians))))
    axes.margins(x=0.12)
    axes.set_xlabel(unit if unit == BYTES else "operations a second")
    axes.set_title(title)
    for name, median in zip(names, medians, strict=True):
        axes.annotate(f" {median:,.0f}", (median, name), va="bottom", fontsize=7)
    figure.savefig(path, dpi=DPI)


def plot_goals(verdicts: Sequence[Verdict], path: Path) -> None:
    """Each goal's figure over its limit, turned so that right of the line is good, with its interval."""
    shown = [verdict for verdict in verdicts if verdict.found is not None and _limit(verdict) is not None]
    if not shown:
        return
    figure = Figure(figsize=(WIDTH, 1.4 + BAR_HEIGHT * 0.8 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for row, verdict in enumerate(shown):
        low, middle, high = sorted(_of_limit(verdict))
        colour = BAD if verdict.word in ("MISSED", "below the aim") else OURS
        axes.plot([low, high], [row, row], color=colour, linewidth=2)
        axes.plot([middle], [row], "o", color=colour)
    axes.set_yticks(range(len(shown)), [verdict.goal.text for verdict in shown], fontsize=8)
    axes.axvline(1.0, color="#333333", linewidth=1)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("times better than the limit (the must, or the aim where there is no must)")
    axes.set_title("goals")
    figure.savefig(path, dpi=DPI)


def _limit(verdict: Verdict) -> float | None:
    return verdict.goal.aim if verdict.goal.must is None else verdict.goal.must


def _of_limit(verdict: Verdict) -> list[float]:
    limit, found = _limit(verdict), verdict.found
    assert limit is not None and found is not None
    values = [max(value, 1e-9) for value in (found.low, found.median, found.high)]
    return [value / limit if verdict.goal.sense == "at least" else limit / value for value in values]
