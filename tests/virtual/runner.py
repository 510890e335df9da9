"""Runs seeds of the stress, or the table of faults: `python -m tests.virtual.runner --seed 0x2a --count 500`.

Owns: the command line and the report. May not know: what a seed or a case does. The core is chosen before
anything else is imported.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
SWITCHES = {"cython": "FASTMUX_REQUIRE_EXTENSIONS", "python": "FASTMUX_NO_EXTENSIONS"}
TABLE_SIZE = 10_000_000


def failures_of(seeds: Iterable[int], tally: Counter[str] | None = None) -> list[str]:
    """Run seeds and give the texts of those that failed; what the others did is added to `tally`."""
    stress = importlib.import_module("virtual.stress")
    core = importlib.import_module("fastmux.core")
    failures = []
    for seed in seeds:
        try:
            outcome = stress.run_seed(seed)
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            command = f"python -m tests.virtual.runner --seed {seed:#x} --core {core.IMPLEMENTATION}"
            failures.append(f"{text}repeat: {command}")
        else:
            if tally is not None:
                tally.update(seconds=int(outcome.seconds), whole=outcome.whole, ended=outcome.ended)
    return failures


def kept_seeds() -> list[int]:
    """The seeds of `seeds.txt`, which are always run."""
    lines = (TESTS / "virtual" / "seeds.txt").read_text("utf-8").splitlines()
    return [int(line.split()[0], 0) for line in lines if line and not line.startswith("#")]


def table() -> int:
    """Play every case with 10 MB and print a line of the table for each; non-zero if any failed."""
    cases = importlib.import_module("virtual.cases")
    failed = 0
    for case in cases.CASES:
        try:
            outcome = cases.play(case, TABLE_SIZE)
        except AssertionError as error:
            failed += 1
            print(f"| {case.row} | {case.what} | FAILED: {error} |", flush=True)
            continue
        stats, limit = outcome.stats, case.limit(TABLE_SIZE)
        refused = sum(outcome.happened.values())
        print(
            f"| {case.row} | {case.what} | {outcome.seconds:.2f} s (limit {limit:.1f}), "
            f"{refused} calls refused, {stats.retransmitted_bytes / 1000:.0f} kB sent again, "
            f"MTU {stats.mtu} |",
            flush=True,
        )
    return 1 if failed else 0


def main(arguments: Sequence[str]) -> int:
    """Run what the command line names; non-zero if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.virtual.runner")
    parser.add_argument("--seed", type=lambda text: int(text, 0), default=0)
    parser.add_argument("--count", type=int, default=1, help="so many seeds in a row (default 1)")
    parser.add_argument("--kept", action="store_true", help="the kept seeds first")
    parser.add_argument("--core", choices=sorted(SWITCHES), help="default: the compiled one if there is one")
    parser.add_argument("--table", action="store_true", help="the rows of the fault table, 10 MB each")
    options = parser.parse_args(arguments)
    if options.core is not None:
        for switch in SWITCHES.values():
            os.environ.pop(switch, None)
        os.environ[SWITCHES[options.core]] = "1"
    sys.path.insert(0, str(TESTS))
    if options.table:
        return table()
    seeds = [*(kept_seeds() if options.kept else ()), *range(options.seed, options.seed + options.count)]
    tally: Counter[str] = Counter()
    started_at = time.monotonic()
    failures = failures_of(seeds, tally)
    elapsed = time.monotonic() - started_at
    what = f"{tally['whole']} conversations whole, {tally['ended']} ended by plan"
    print("\n".join([*failures, f"{len(seeds)} seeds, {len(failures)} failed: {what}"]))
    print(f"{tally['seconds']} virtual seconds in {elapsed:.1f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
