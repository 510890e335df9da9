"""`python -m fuzz TARGET`: runs a target, in a process of its own that has the sanitizers.

Owns: the command line, that process, what is left of one that died. May not know: what a target checks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from fuzz import build, corpus, distil, loop
from fuzz.build import ROOT, VARIANTS
from fuzz.targets import TARGETS

FOLDER = ROOT / "build" / "fuzz"
FINDINGS = FOLDER / "findings"


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    made = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    made.add_argument("target", choices=sorted(TARGETS))
    made.add_argument("--executions", type=int, default=1_000_000)
    made.add_argument("--seconds", type=float, default=3600.0, help="stop after so many, at the latest")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--variant", choices=sorted(VARIANTS), default="sanitized")
    made.add_argument("--twins", action="store_true", help="the pure core too, and compare")
    made.add_argument(
        "--grow", action="store_true", help="keep in build/fuzz/grown what reached something new"
    )
    made.add_argument("--distil", action="store_true", help="write the smallest corpus out of grown and kept")
    made.add_argument("--size-limit", type=int, default=40_000, help="bytes of a corpus that --distil writes")
    made.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return made


def save_finding(target: str, data: bytes) -> Path:
    """Keeps the input of a finding."""
    FINDINGS.mkdir(parents=True, exist_ok=True)
    path = FINDINGS / f"{target}-{corpus.name_of(data)}.bin"
    path.write_bytes(data)
    return path


def start(arguments: list[str], target: str, variant: str) -> int:
    """Runs the same command in a process with the sanitizers; keeps the input of one that dies."""
    build.build(variant)
    env = {**os.environ, **build.environment(variant), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    last = FOLDER / f"{target}.last"
    last.unlink(missing_ok=True)
    command = [sys.executable, "-m", "fuzz", *arguments, "--inside"]
    code = subprocess.run(command, check=False, env=env, cwd=ROOT).returncode
    if code not in (0, 1) and last.exists():
        area = last.read_bytes()
        size = int.from_bytes(area[:4], "little")
        print(f"{target}: the process died; its last input: {save_finding(target, area[64 : 64 + size])}")
    return code


def commit() -> str:
    """The commit that runs, with a mark if files were changed since."""
    command = ["git", "describe", "--always", "--dirty"]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    return answer.stdout.strip() or "unknown"


def inside(options: argparse.Namespace) -> int:
    """The run itself."""

    native = build.load(options.variant)
    if options.distil:
        print(distil.distil(native, TARGETS[options.target], FOLDER, options.size_limit))
        return 0
    report = loop.run(
        native,
        options.target,
        executions=options.executions,
        seconds=options.seconds,
        seed=options.seed,
        twins=options.twins,
        folder=FOLDER,
    )
    figures = {
        "target": report.target,
        "commit": commit(),
        "variant": options.variant + ("+twins" if options.twins else ""),
        "seed": options.seed,
        "executions": report.executions,
        "seconds": round(report.seconds, 1),
        "cpu_seconds": round(report.cpu_seconds, 1),
        "per_cpu_second": round(report.executions / max(report.cpu_seconds, 0.001)),
        "inputs": len(report.inputs),
        "edges": report.edges,
        "finding": report.finding,
    }
    print(json.dumps(figures), flush=True)
    with (FOLDER / "runs.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(figures) + "\n")
    if options.grow:
        distil.keep_grown(TARGETS[options.target], FOLDER, report.inputs)
    if report.finding is not None:
        print(f"input: {save_finding(report.target, report.culprit)}")
    return 0 if report.finding is None else 1


def main(arguments: list[str]) -> int:
    """Run, and say what it came to; non-zero if something did not hold."""
    options = parser().parse_args(arguments)
    if options.inside:
        return inside(options)
    return start(arguments, options.target, options.variant)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
