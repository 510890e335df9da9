"""The tables of a run, in Markdown.

Owns how figures look. Knows nothing of how they came about.
"""

import math
from collections.abc import Mapping, Sequence

from bench.contenders import FLOOR, tls_name
from bench.figures import estimate, paired_ratio
from bench.goals import Goal
from bench.harness import Series
from bench.scenarios import BYTES, Scenario
from bench.verdicts import Verdict

MISSING = "-"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = _row(["---"] * len(head))
    return "\n".join([_row(head), rule, *map(_row, rows)])


def _ratio(series: Series, base: Series | None, shape: str) -> str:
    if base is None or not series.samples.keys() & base.samples.keys():
        return MISSING
    ours, theirs = (
        {number: sample.values["rate"] for number, sample in each.samples.items()} for each in (series, base)
    )
    return format(paired_ratio(ours, theirs).median, shape)


def scenario_table(
    scenario: Scenario, every: Sequence[Series], place: str, syscalls: Mapping[str, float] | None = None
) -> str:
    """Medians, spread, CPU, memory; ratios, taken round by round, to the floor, TLS or the first row."""
    named = {series.name: series for series in every}
    floor, tls = named.get(FLOOR), named.get(tls_name())
    cpu = "CPU s/GB" if scenario.unit == BYTES else "CPU µs each"
    head = [scenario.title, scenario.unit, "slowest to fastest", cpu]
    head += [heading for _, heading, _, _ in scenario.figures]
    head += ["of the floor"] if floor else []
    head += ["× asyncio TLS" if tls else "× the first"]
    head += ["RSS MB, server + client"]
    head += ["system calls/GB"] if syscalls is not None else []
    rows = []
    for series in every:
        if not series.samples:
            rows.append([series.name, "failed", *[MISSING] * (len(head) - 2)])
            continue
        rates = series.values("rate")
        row = [series.name, f"{estimate(rates).median:,.0f}", f"{min(rates):,.0f} to {max(rates):,.0f}"]
        row.append(f"{estimate(series.values('cpu')).median:.2f}")
        row += [_figure(series, metric, shape, factor) for metric, _, shape, factor in scenario.figures]
        row += [_ratio(series, floor, ".0%")] if floor else []
        row.append(_ratio(series, tls or every[0], ".2f"))
        server, client = max(series.values("rss_server")) / 1e6, max(series.values("rss_client")) / 1e6
        row.append(f"{server:.0f} + {client:.0f}")
        if syscalls is not None:
            row.append(f"{syscalls[series.name]:,.0f}" if series.name in syscalls else MISSING)
        rows.append(row)
    rounds = max((len(series.samples) for series in every), default=0)
    return f"### {scenario.name}: {scenario.title}\n\n{place}, {rounds} rounds\n\n{_table(head, rows)}"


def _figure(series: Series, metric: str, shape: str, factor: float) -> str:
    values = series.values(metric)
    return format(estimate(values).median * factor, shape) if values else MISSING


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 3)}f}"


def _limit(goal: Goal, limit: float | None) -> str:
    if limit is None:
        return MISSING
    sign = "≥" if goal.sense == "at least" else "≤"
    return f"{sign} {limit:,g} {goal.unit}"


def goals_table(verdicts: Sequence[Verdict]) -> str:
    """Every goal with what was measured, the interval of the median, and the verdict."""
    rows = []
    for verdict in verdicts:
        goal, found = verdict.goal, verdict.found
        figure, interval = MISSING, MISSING
        if found is not None:
            figure = f"{_number(found.median)} {goal.unit}"
            interval = f"{_number(found.low)} to {_number(found.high)}"
        word = verdict.word if verdict.sure else f"{verdict.word} (unsure)"
        rows.append([goal.text, figure, interval, _limit(goal, goal.must), _limit(goal, goal.aim), word])
    return "### goals\n\n" + _table(["goal", "median", "95 % interval", "must", "aim", "verdict"], rows)


def sansio_table(every: Sequence[Series]) -> str:
    """The core alone: nanoseconds a packet, and how much longer the pure core takes."""
    rows = []
    total = {
        series.name: estimate(series.values("sending")).median + estimate(series.values("receiving")).median
        for series in every
    }
    for series in every:
        core, suite = series.name.split(", ")
        sending, receiving = (estimate(series.values(side)).median for side in ("sending", "receiving"))
        slower = total[f"python, {suite}"] / total[series.name]
        rows.append([series.name, f"{sending:,.0f}", f"{receiving:,.0f}", f"{slower:.0f}"])
    head = ["the core alone, 1,452 B packets", "sending ns", "receiving ns", "pure ÷ this"]
    return f"### sansio: the core alone\n\n{_table(head, rows)}"
