"""Runs seeds of the simulation from the command line: `python -m tests.sim.runner --seed 0x2a --core cython`.

Owns: the choice of the core (made before anything else is imported), the seeds and the report. May not know:
what a seed does.
"""

from __future__ import annotations

import argparse
import functools
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
    from sim.campaign import Work
    from sim.schedule import Schedule
    from sim.simulation import Outcome

TESTS = Path(__file__).parent.parent
SWITCHES = {"cython": "FASTMUX_REQUIRE_EXTENSIONS", "python": "FASTMUX_NO_EXTENSIONS"}


class SeedFailed(AssertionError):
    """A seed failed; the text is the command that repeats it, the cause is what went wrong."""


def command_of(seed: int, *, is_basic: bool = False) -> str:
    """The command that repeats a seed on the core that is loaded."""
    core = importlib.import_module("fastmux.core")
    basic = " --basic" if is_basic else ""
    return f"repeat: python -m tests.sim.runner --seed {seed:#x}{basic} --core {core.IMPLEMENTATION}"


def run_seed(seed: int, *, is_basic: bool = False) -> Outcome:
    """Run one seed on the core that is loaded. Raises `SeedFailed`."""
    runs = importlib.import_module("sim.runs")
    try:
        outcome: Outcome = runs.run_seed(seed, is_basic=is_basic)
    except Exception as error:
        text = f"{type(error).__name__}: {error}\n{command_of(seed, is_basic=is_basic)}"
        raise SeedFailed(text) from error
    return outcome


def failures_of(seeds: Iterable[int], *, is_basic: bool = False, with_traceback: bool = False) -> list[str]:
    """Run seeds and give the texts of those that failed; what lives now is kept from the collector."""
    failures = []
    was_frozen = gc.get_freeze_count() > 0  # by the suite that this is a test of
    if not was_frozen:
        gc.collect()
        gc.freeze()
    try:
        for seed in seeds:
            try:
                run_seed(seed, is_basic=is_basic)
            except SeedFailed as failed:
                text = "".join(traceback.format_exception(failed.__cause__)) if with_traceback else ""
                failures.append(f"{text}{failed}")
    finally:
        if not was_frozen:
            gc.unfreeze()
    return failures


def choose_core(name: str | None) -> None:
    """Have this core loaded, if any is named. Only before `fastmux.core` is imported."""
    if name is not None:
        for switch in SWITCHES.values():
            os.environ.pop(switch, None)
        os.environ[SWITCHES[name]] = "1"


# --- several processes ----------------------------------------------------------------------------------


def prepare(core: str | None, is_basic: bool) -> Work:
    """Get a process ready for seeds; gives what runs one."""
    choose_core(core)
    if str(TESTS) not in sys.path:
        sys.path.insert(0, str(TESTS))
    gc.freeze()
    return functools.partial(attempt, is_basic=is_basic)


def attempt(seed: int, *, is_basic: bool = False) -> tuple[str | None, float]:
    """Run a seed; gives what was wrong, if anything, and the virtual seconds that it took."""
    try:
        return None, run_seed(seed, is_basic=is_basic).seconds
    except SeedFailed as failed:
        text = str(failed)
    gc.collect()  # what a failed run leaves must not be the next one's
    return text, 0.0


def run_campaign(options: argparse.Namespace, seeds: range) -> int:
    """Run seeds in several processes; non-zero if any failed."""
    campaign = importlib.import_module("sim.campaign")
    tally = campaign.run(
        seeds,
        options.jobs,
        functools.partial(prepare, options.core, options.basic),
        functools.partial(command_of, is_basic=options.basic),
    )
    return 1 if tally.failures else 0


# --- one schedule ---------------------------------------------------------------------------------------


def run_one(options: argparse.Namespace) -> int:
    """Run a kept schedule, or make a smaller one of a schedule that fails; non-zero if it fails."""
    notation = importlib.import_module("sim.notation")
    failure = importlib.import_module("sim.failure")
    swarm = importlib.import_module("sim.swarm")
    schedule: Schedule
    if options.schedule is not None:
        schedule = notation.from_json(options.schedule.read_text("utf-8"))
    else:
        schedule = swarm.expand(options.seed, is_basic=options.basic)
    kind = failure.failure_of(schedule)
    if options.shrink and kind is not None:
        shrinker = importlib.import_module("sim.shrink").Shrinker(schedule, failure.fails_as(kind))
        size = schedule.size
        schedule = shrinker.shrink()
        print(f"{size} parts before, {schedule.size} after {shrinker.runs} runs")
    print(notation.describe(schedule))
    print(kind or "it passes")
    if options.save is not None:
        options.save.write_text(notation.to_json(schedule), "utf-8")
    return 0 if kind is None else 1


def main(arguments: Sequence[str]) -> int:
    """Run what the command line names; non-zero if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.runner")
    parser.add_argument("--seed", type=lambda text: int(text, 0), default=0)
    parser.add_argument("--count", type=int, default=1, help="so many seeds in a row (default 1)")
    parser.add_argument("--jobs", type=int, default=0, help="in so many processes, with a line of progress")
    parser.add_argument("--core", choices=sorted(SWITCHES), help="default: the compiled one if there is one")
    parser.add_argument("--basic", action="store_true", help="what the seed meant before the swarm")
    parser.add_argument("--digest", action="store_true", help="print the hash of the trace of each seed")
    parser.add_argument("--trace", action="store_true", help="print every datagram and event")
    parser.add_argument("--describe", action="store_true", help="print what the seed does, and run it")
    parser.add_argument("--shrink", action="store_true", help="make a smaller schedule that fails alike")
    parser.add_argument("--schedule", type=Path, help="a schedule that was saved, in the place of a seed")
    parser.add_argument("--save", type=Path, help="where the schedule goes, as JSON")
    options = parser.parse_args(arguments)
    choose_core(options.core)
    sys.path.insert(0, str(TESTS))
    if options.trace:
        importlib.import_module("sim.tracing").print_everything()
    seeds = range(options.seed, options.seed + options.count)
    if options.jobs:
        return run_campaign(options, seeds)
    if options.describe or options.shrink or options.schedule or options.save:
        return run_one(options)
    return run_here(options, seeds)


def run_here(options: argparse.Namespace, seeds: range) -> int:
    """Run seeds in this process; non-zero if any failed."""
    started_at = time.monotonic()
    failures: list[str] = []
    if options.digest:
        for seed in seeds:
            outcome = run_seed(seed, is_basic=options.basic)
            print(f"{seed:#x} {outcome.digest} {outcome.seconds:.3f} s {outcome.datagrams} datagrams")
    else:
        failures = failures_of(seeds, is_basic=options.basic, with_traceback=True)
    elapsed = time.monotonic() - started_at
    print("\n".join([*failures, f"{options.count} seeds, {len(failures)} failed, {elapsed:.1f} s"]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
