"""`make faults`: every scenario in its full size, on both cores; the tables of docs/reliability.md.

Owns: the processes, two at a time, their bounds, and the tables. May not know: any single fault. A job is a
scenario with a controller on one core, in a process of its own: what hangs there ends there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastmux._switches import NO_EXTENSIONS, REQUIRE_EXTENSIONS
from faults.catalogue import cases, everything, rows
from faults.scenario import Scenario

CORES = ("cython", "python")
NAMES = {"cython": "compiled", "python": "pure"}
PROCESSES = 2
JOB_TIMEOUT = 600.0  # seconds; the longest takes one alone on a core
GROUP = 6  # scenarios a process: starting one costs half a second


@dataclass(frozen=True)
class Job:
    """Some scenarios on one core, by their places in `everything()`."""

    core: str
    places: tuple[int, ...]


def run(job: Job, quick: bool, stop_at: float) -> dict[int, dict[str, Any]]:
    """Run a job in a process; what it has not told is missing."""
    environment = {
        key: value for key, value in os.environ.items() if key not in (NO_EXTENSIONS, REQUIRE_EXTENSIONS)
    }
    environment[NO_EXTENSIONS if job.core == "python" else REQUIRE_EXTENSIONS] = "1"
    words = [sys.executable, "-m", "faults.play", *map(str, job.places), *(["--quick"] if quick else [])]
    timeout = min(JOB_TIMEOUT, stop_at - time.monotonic())
    if timeout <= 0:
        return {}
    try:
        done = subprocess.run(
            words, env=environment, stdout=subprocess.PIPE, text=True, timeout=timeout, check=False
        )
        output = done.stdout
    except subprocess.TimeoutExpired as error:
        raw: bytes | str | None = error.output  # bytes, whatever was asked for
        output = raw.decode() if isinstance(raw, bytes) else raw or ""
    found = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {line["place"]: line for line in found}


def jobs(places: Sequence[int], cores: Iterable[str]) -> list[Job]:
    """All there is to do, the pure core's first, for it takes longer."""
    made = []
    for core in sorted(cores, reverse=True):
        size = GROUP if core == "cython" else GROUP // 3
        made += [Job(core, tuple(places[start : start + size])) for start in range(0, len(places), size)]
    return made


Results = dict[str, dict[int, dict[str, Any]]]


def play(places: Sequence[int], cores: Sequence[str], quick: bool, seconds: float) -> Results:
    """Run everything; results by core and place."""
    stop_at = time.monotonic() + seconds
    results: Results = {core: {} for core in cores}
    work = jobs(places, cores)
    with ThreadPoolExecutor(PROCESSES) as pool:
        for job, found in zip(work, pool.map(lambda job: run(job, quick, stop_at), work), strict=True):
            results[job.core] |= found
            for place in job.places:
                state = results[job.core].setdefault(place, {"verdict": "FAILED", "error": "no result"})
                print(
                    f"{NAMES[job.core]:8} {place:4} {state['verdict']:6} {state.get('error', '')}",
                    file=sys.stderr,
                )
    return results


def cell(result: dict[str, Any] | None) -> str:
    """What was measured, as the table has it."""
    if result is None or "measured" not in result:
        return "—"
    return f"{result['measured']:.3g}" if result["measured"] < 100 else f"{result['measured']:.0f}"


def line(scenario: Scenario, congestion: str, place: int, results: Results) -> str:
    """A line of the table."""
    found = [results[core].get(place) for core in results]
    told = next((each for each in found if each is not None and "limit" in each), None)
    verdicts = {each["verdict"] for each in found if each is not None}
    verdict = "FAILED" if "FAILED" in verdicts else "missed" if "missed" in verdicts else "ok"
    limit = "" if told is None else f"{'≥' if told['at_least'] else '≤'} {told['limit']:.3g} {told['unit']}"
    notes = [] if told is None else [told["note"]]
    if verdict == "missed":
        notes.append(scenario.why)
    words = [
        scenario.row,
        scenario.title,
        congestion,
        *map(cell, found),
        limit,
        verdict,
        "; ".join(filter(None, notes)),
    ]
    return "| " + " | ".join(words) + " |"


def table(scenarios: Sequence[Scenario], results: Results) -> str:
    """A Markdown table of these scenarios."""
    names = [f"{NAMES[core]} core" for core in results]
    head = ["row", "what happens", "controller", *names, "limit", "", "beside it"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for place, (scenario, congestion) in enumerate(everything()):
        if scenario in scenarios and any(place in found for found in results.values()):
            lines.append(line(scenario, congestion, place, results))
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for and print the tables."""
    parser = argparse.ArgumentParser(prog="make faults", description="the fault table, measured")
    parser.add_argument("--quick", action="store_true", help="small sizes, as `make test` has them")
    parser.add_argument("--core", choices=CORES, action="append", help="one core only")
    parser.add_argument("--json", type=Path, help="where the results go too")
    parser.add_argument("--minutes", type=float, default=15.0, help="bound of the whole")
    parser.add_argument("rows", nargs="*", help="such as F19, interop; by default all")
    options = parser.parse_args(arguments)
    began_at = time.monotonic()
    places = [
        place
        for place, (scenario, _) in enumerate(everything())
        if not options.rows or scenario.row in options.rows
    ]
    results = play(places, options.core or CORES, options.quick, options.minutes * 60)
    print(table(rows(), results), table(cases(), results), sep="\n\n")
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    verdicts = [found[place]["verdict"] for found in results.values() for place in places]
    counts = {verdict: verdicts.count(verdict) for verdict in ("ok", "missed", "FAILED")}
    print(f"\n{counts}, {time.monotonic() - began_at:.0f} s", file=sys.stderr)
    return 1 if counts["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
