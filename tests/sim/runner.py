"""Runs seeds of the simulation from the command line: `python -m tests.sim.runner --seed 0x2a --core cython`.

Owns: the choice of the core (made before anything else is imported), the seeds and the report. May not know:
what a seed does.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.simulation import Outcome

TESTS = Path(__file__).parent.parent
SWITCHES = {"cython": "FASTMUX_REQUIRE_EXTENSIONS", "python": "FASTMUX_NO_EXTENSIONS"}


class SeedFailed(AssertionError):
    """A seed failed; the text is the command that repeats it, the cause is what went wrong."""


def run_seed(seed: int) -> Outcome:
    """Run one seed on the core that is loaded. Raises `SeedFailed`."""
    simulation = importlib.import_module("sim.simulation")
    core = importlib.import_module("fastmux.core")
    try:
        outcome: Outcome = simulation.run_seed(seed)
    except Exception as error:
        command = f"python -m tests.sim.runner --seed {seed:#x} --core {core.IMPLEMENTATION}"
        raise SeedFailed(f"{type(error).__name__}: {error}\nrepeat: {command}") from error
    return outcome


def failures_of(seeds: Iterable[int], *, with_traceback: bool = False) -> list[str]:
    """Run seeds and give the texts of those that failed; what lives now is kept from the collector."""
    failures = []
    gc.collect()
    gc.freeze()
    try:
        for seed in seeds:
            try:
                run_seed(seed)
            except SeedFailed as failed:
                text = "".join(traceback.format_exception(failed.__cause__)) if with_traceback else ""
                failures.append(f"{text}{failed}")
    finally:
        gc.unfreeze()
    return failures


def choose_core(name: str | None) -> None:
    """Have this core loaded, if any is named. Only before `fastmux.core` is imported."""
    if name is not None:
        for switch in SWITCHES.values():
            os.environ.pop(switch, None)
        os.environ[SWITCHES[name]] = "1"


def main(arguments: Sequence[str]) -> int:
    """Run what the command line names; non-zero if any seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.runner")
    parser.add_argument("--seed", type=lambda text: int(text, 0), default=0)
    parser.add_argument("--count", type=int, default=1, help="so many seeds in a row (default 1)")
    parser.add_argument("--core", choices=sorted(SWITCHES), help="default: the compiled one if there is one")
    parser.add_argument("--digest", action="store_true", help="print the hash of the trace of each seed")
    parser.add_argument("--trace", action="store_true", help="print every datagram and event")
    options = parser.parse_args(arguments)
    choose_core(options.core)
    sys.path.insert(0, str(TESTS))
    if options.trace:
        importlib.import_module("sim.tracing").print_everything()
    started_at = time.monotonic()
    seeds = range(options.seed, options.seed + options.count)
    failures: list[str] = []
    if options.digest:
        for seed in seeds:
            outcome = run_seed(seed)
            print(f"{seed:#x} {outcome.digest} {outcome.seconds:.3f} s {outcome.datagrams} datagrams")
    else:
        failures = failures_of(seeds, with_traceback=True)
    elapsed = time.monotonic() - started_at
    print("\n".join([*failures, f"{options.count} seeds, {len(failures)} failed, {elapsed:.1f} s"]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
