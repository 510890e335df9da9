"""One run of the benchmarks: every chosen scenario, its table, the goals, JSON and plots.

Owns the order of things and the result files. Knows no transport and no statistics.
"""

import argparse
import datetime
import importlib.util
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import sansio, syscalls
from bench.contenders import Times, Workshop
from bench.cores import Cores
from bench.harness import BenchError, Contender, Sample, Series, interleave, last_words
from bench.namespaces import SERVER_ADDRESS
from bench.places import Place, PlaceUnavailable
from bench.scenarios import SCENARIOS, Scenario, places
from bench.tables import goals_table, sansio_table, scenario_table
from bench.verdicts import Verdict, judge
from fastmux import core
from fastmux.security.certificates import DEFAULT_NAMES, make_credentials

RESULTS = Path(__file__).with_name("results")
SANSIO = "sansio"
ROUNDS, QUICK_ROUNDS = 5, 2
QUICK_SHARE = 0.4  # of a run's full length
PACKETS, QUICK_PACKETS = 60_000, 20_000
PURE_SHARE = 20
SYSCALL_SCENARIOS = ("bulk", "portmux")
SYSCALL_LIMIT = 40.0


class Run:
    """What was measured so far. `scenarios` has a report for each scenario, `series` its figures."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
        self.series: dict[str, Sequence[Series]] = {}
        self.reports: dict[str, dict[str, object]] = {}
        self.texts: list[str] = []
        self._options = options
        self._folder = folder
        self.cores = Cores(folder)
        self.shop = Workshop(folder, ("asyncio", "uvloop") if options.peers else ("asyncio",))

    def say(self, text: str) -> None:
        """Print a table, and keep it for the file."""
        self.texts.append(text)
        print(f"{text}\n", flush=True)

    def measure(self, scenario: Scenario) -> None:
        """Run one scenario and print its table; or note why this machine cannot."""
        times, looks = self._times(scenario), len(self.cores.round_trips)
        contenders = scenario.contenders(self.shop, times)
        try:
            with places(scenario, self._folder) as (place, place_of):

                def turn(contender: Contender) -> Place:
                    self.cores.look()
                    return place_of(contender)

                series = interleave(contenders, turn, self.rounds, times.limit)
        except PlaceUnavailable as error:
            self.shop.notes.append(f"{scenario.name} was not measured: {error}")
            print(self.shop.notes[-1], file=sys.stderr, flush=True)
            return
        calls = self._count_syscalls(contenders) if scenario.name in SYSCALL_SCENARIOS else None
        self.series[scenario.name] = series
        self.reports[scenario.name] = {
            "title": scenario.title,
            "unit": scenario.unit,
            "place": place,
            "core_round_trips_ns": self.cores.round_trips[looks:],
            "seconds": times.seconds,
            "warmup": times.warmup,
            "series": [_series_report(each) for each in series],
            "syscalls_per_gb": calls,
        }
        distance = self.cores.describe(looks)
        self.say(scenario_table(scenario, series, f"{place}, {distance}" if distance else place, calls))

    def _times(self, scenario: Scenario) -> Times:
        seconds, warmup = scenario.seconds, scenario.warmup
        if self._options.quick:
            seconds, warmup = seconds * QUICK_SHARE, warmup * QUICK_SHARE
        if self._options.seconds:
            seconds, warmup = self._options.seconds, self._options.seconds * warmup / seconds
        return Times(round(seconds, 3), round(warmup, 3), scenario.grace)

    def _count_syscalls(self, contenders: Sequence[Contender]) -> dict[str, float]:
        """For each contender that can be traced; none in a quick run or without strace."""
        if self._options.quick:
            return {}
        if not syscalls.is_available():
            self.shop.notes.append("no system calls: strace is not installed")
            return {}
        counts = {}
        for contender in contenders:
            try:
                counts[contender.name] = syscalls.syscalls_per_gb(contender, self._folder, SYSCALL_LIMIT)
            except BenchError as error:
                self.shop.notes.append(f"no system calls of {contender.name}: {last_words(str(error))}")
            else:
                print(
                    f"  strace  {contender.name:<32} {counts[contender.name]:12,.0f} calls/GB",
                    file=sys.stderr,
                )
        return counts

    def measure_core(self) -> None:
        """The core alone: both cores, both suites."""
        packets = QUICK_PACKETS if self._options.quick else PACKETS
        every = []
        for suite in sansio.SUITES:
            names = ("python", "cython") if core.IMPLEMENTATION == "cython" else ("python",)
            for name in names:
                costs = sansio.costs_of(name, suite, packets // (PURE_SHARE if name == "python" else 1))
                samples = {number: Sample(cost._asdict(), {}, {}) for number, cost in enumerate(costs)}
                every.append(Series(f"{name}, {suite}", samples))
        self.series[SANSIO] = every
        self.reports[SANSIO] = {"unit": "ns a packet", "series": [_series_report(each) for each in every]}
        self.say(sansio_table(every))

    def failures(self) -> list[str]:
        """What our own contenders said when they failed."""
        return [
            f"{series.name}: {last_words(failure)}"
            for every in self.series.values()
            for series in every
            if series.name.startswith("fastmux")
            for failure in series.failures
        ]


def _series_report(series: Series) -> dict[str, object]:
    samples = [
        {"round": number, "values": sample.values, "server": sample.server, "client": sample.client}
        for number, sample in series.samples.items()
    ]
    return {"name": series.name, "failures": series.failures, "samples": samples}


def _verdict_report(verdict: Verdict) -> dict[str, object]:
    goal, found = verdict.goal, verdict.found
    return {
        "scenario": goal.scenario,
        "goal": goal.text,
        "sense": goal.sense,
        "unit": goal.unit,
        "must": goal.must,
        "aim": goal.aim,
        "median": found and found.median,
        "interval": found and [found.low, found.high],
        "verdict": verdict.word,
        "sure": verdict.sure,
    }


def run(options: argparse.Namespace, names: Sequence[str]) -> int:
    """Measure the scenarios of these names; the exit status is 1 if one of our own contenders failed."""
    started_at = time.monotonic()
    print(core.describe(), file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="fastmux-bench-") as temporary:
        folder = Path(temporary) / "certificates"
        make_credentials(folder, (*DEFAULT_NAMES, SERVER_ADDRESS), days=1)
        state = Run(options, folder)
        for note in state.shop.notes:
            print(note, file=sys.stderr)
        for number, name in enumerate(names, 1):
            minutes = (time.monotonic() - started_at) / 60
            print(f"[{number}/{len(names)}, {minutes:.1f} min] {name}", file=sys.stderr, flush=True)
            if name == SANSIO:
                state.measure_core()
            else:
                state.measure(next(scenario for scenario in SCENARIOS if scenario.name == name))
    verdicts = judge(state.series)
    state.say(goals_table(verdicts))
    notes = [*state.shop.notes, *state.failures()]
    if notes:
        state.say("\n".join(f"* {note.strip()}" for note in notes))
    _write(state, verdicts, (time.monotonic() - started_at))
    return 1 if state.failures() else 0


def _write(state: Run, verdicts: Sequence[Verdict], seconds: float) -> None:
    """JSON, the tables and the plots, in a folder of their own."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = RESULTS / stamp
    folder.mkdir(parents=True)
    report = {
        "machine": {
            "platform": platform.platform(),
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "load": os.getloadavg(),
            "core": core.describe(),
        },
        "peers": state.shop.peer_versions(),
        "took_seconds": seconds,
        "rounds": state.rounds,
        "scenarios": state.reports,
        "goals": [_verdict_report(verdict) for verdict in verdicts],
        "notes": state.shop.notes,
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    (folder / "tables.md").write_text("\n\n".join(state.texts) + "\n")
    if importlib.util.find_spec("matplotlib") is None:
        print("no plots: matplotlib is not installed", file=sys.stderr)
    else:
        from bench.plots import plot_goals, plot_scenario

        for scenario in SCENARIOS:
            if scenario.name in state.series:
                path = folder / f"{scenario.name}.png"
                plot_scenario(scenario.title, scenario.unit, state.series[scenario.name], path)
        plot_goals(verdicts, folder / "goals.png")
    print(f"written to bench/results/{folder.name}, {seconds / 60:.1f} min")
