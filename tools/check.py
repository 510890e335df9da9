"""`make check`: runs the stages and says what became of each.

Owns: schedule, report and exit status. May not know: what a stage does.
Usage: `python -m tools.check [--jobs N] [STAGE …]`; no stage named means all of them.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools.running import ROOT, Runner, StageFailed, StageSkipped
from tools.stages import Stage, stages

LOGS = ROOT / "build" / "check" / "logs"
SHOWN_LINES = 60  # of a failed stage's log; all of it stays in the file
CLOSING = re.compile(r"^=+ .*\b(?:passed|failed|error|no tests ran)\b.* =+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a stage. `verdict` is "passed", "failed" or "skipped"; `seconds` it took."""

    name: str
    verdict: str
    seconds: float
    reason: str = ""


def carry_out(stage: Stage, log: Path) -> Outcome:
    """Run one stage and print its end: its closing lines, or the tail of its log if it failed."""
    started_at = time.monotonic()
    runner = Runner(log, stage.timeout)
    verdict, reason = "passed", ""
    try:
        stage.action(runner)
    except StageSkipped as skipped:
        verdict, reason = "skipped", str(skipped)
    except (StageFailed, OSError) as failure:
        verdict, reason = "failed", str(failure)
    outcome = Outcome(stage.name, verdict, time.monotonic() - started_at, reason)
    text = log.read_text("utf-8", "replace")
    lines = text.splitlines()[-SHOWN_LINES:] if verdict == "failed" else CLOSING.findall(text)
    print("\n".join([line_of(outcome), *(f"    {line}" for line in lines)]), flush=True)
    return outcome


def line_of(outcome: Outcome) -> str:
    """One line of the report."""
    reason = f"  {outcome.reason}" if outcome.reason else ""
    return f"{outcome.name:<20}{outcome.verdict:<9}{outcome.seconds:>6.0f} s{reason}"


def run_stages(chosen: Sequence[Stage], jobs: int, logs: Path = LOGS) -> list[Outcome]:
    """Run stages order by order, `jobs` at a time, those that must be alone after the others."""
    outcomes: list[Outcome] = []
    for key in sorted({(stage.order, stage.alone) for stage in chosen}):
        group = [stage for stage in chosen if (stage.order, stage.alone) == key]
        with ThreadPoolExecutor(1 if key[1] else jobs) as pool:
            outcomes += pool.map(lambda stage: carry_out(stage, logs / f"{stage.name}.log"), group)
    return outcomes


def report(outcomes: Sequence[Outcome], seconds: float) -> int:
    """Print the seconds of every stage; return the exit status, non-zero if any failed."""
    print("\nseconds per stage")
    for outcome in outcomes:
        print(line_of(outcome))
    failed = [outcome.name for outcome in outcomes if outcome.verdict == "failed"]
    print(f"{'all':<20}{'failed' if failed else 'passed':<9}{seconds:>6.0f} s", flush=True)
    return 1 if failed or not outcomes else 0


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, run what it names, report."""
    known = stages()
    parser = argparse.ArgumentParser(prog="python -m tools.check")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("stage", nargs="*", help=", ".join(stage.name for stage in known))
    options = parser.parse_args(arguments)
    unknown = set(options.stage) - {stage.name for stage in known}
    if unknown:
        parser.error(f"no stage {', '.join(sorted(unknown))}")
    chosen = [stage for stage in known if not options.stage or stage.name in options.stage]
    started_at = time.monotonic()
    return report(run_stages(chosen, options.jobs), time.monotonic() - started_at)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
