"""`python -m tools.mutants [NAME…]`: plants each bug in a copy of the project: do the tests find it?

Owns: the copy, the order of the hunt, the report. May not know: what a bug is about.
A bug is planted in one core at a time, and only tests of that core run: that the cores differ finds nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.mutants.channels import CHANNELS
from tools.mutants.mutant import Mutant, apply, restore
from tools.mutants.recovery import RECOVERY
from tools.mutants.wire import WIRE
from tools.running import COMPILED, PURE, ROOT, environment, stop

MUTANTS = (*WIRE, *RECOVERY, *CHANNELS)
REQUIRED = 38  # of 40 must be found, in each core
TREE = ROOT / "build" / "mutants"
TIMEOUT = 240.0  # seconds for the tests of one mutant: one that hangs is found too
TESTS = ("tests/core", "tests/sim/test_simulation.py", "tests/protocol/test_traffic.py")
COPIED = (
    "src",
    "tests",
    "tools",
    "fuzz",
    "setup.py",
    "pyproject.toml",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
)


def copy_tree() -> None:
    """The project as it is, without what was built."""
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, TREE / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        else:
            shutil.copy(source, TREE / name)
    setup = TREE / "setup.py"  # what is built runs once: half of the time would go into making it fast
    setup.write_text(setup.read_text("utf-8").replace('"-O3"', '"-O0"'), "utf-8")


def run(command: list[str], env: dict[str, str], timeout: float, log: Path) -> int | None:
    """The exit status of a command in the copy, None if it ran out of time."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=TREE,
            env=environment({"PYTHONPATH": str(TREE / "src"), **env}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                stop(process)


def build(log: Path) -> None:
    """The compiled core of the copy."""
    for old in (TREE / "src" / "fastmux").glob("_core.*.so"):
        old.unlink()
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    if run(command, COMPILED, 600, log) != 0:
        raise RuntimeError(f"the copy does not build; see {log}")


def tests(core: str, log: Path) -> str | None:
    """How the tests of one core failed in the copy, None if they passed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *TESTS]
    command += [f"--core={core}", "-o", "timeout=60", "--tb=line"]
    code = run(command, PURE if core == "python" else COMPILED, TIMEOUT, log)
    if code == 0:
        return None
    if code is None:
        return "out of time"
    failed = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith("FAILED")]
    return failed[-1].split()[1] if failed else f"exit status {code}"


def hunt(mutant: Mutant, core: str) -> dict[str, object]:
    """Plants one bug in one core: whether it was found, and by what."""
    log = TREE / "logs" / f"{mutant.name}-{core}.log"
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(b"")
    started_at = time.monotonic()
    before = apply(TREE, core, mutant)
    try:
        if core == "cython":
            build(log)
        found_by = tests(core, log)
    finally:
        restore(before)
    seconds = round(time.monotonic() - started_at, 1)
    return {"mutant": mutant.name, "core": core, "found_by": found_by, "seconds": seconds}


def check_patches() -> None:
    """Every patch can be applied, and leaves nothing behind."""
    for core in ("python", "cython"):
        for mutant in MUTANTS:
            restore(apply(TREE, core, mutant))


def check_base(core: str) -> None:
    """The tests pass without any bug, or what they find would mean nothing."""
    log = TREE / "base.log"
    log.write_bytes(b"")
    if core == "cython":
        build(log)
    found_by = tests(core, log)
    if found_by is not None:
        raise RuntimeError(f"the tests fail without any bug: {found_by}; see {log}")


def main(arguments: list[str]) -> int:
    """Hunt, and print one line a mutant; non-zero if fewer than REQUIRED were found in a core."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--core", choices=("python", "cython"), action="append")
    parser.add_argument("--skip-base", action="store_true", help="do not try the tests without a bug first")
    parser.add_argument("--report", type=Path, default=ROOT / "build" / "mutants.jsonl")
    options = parser.parse_args(arguments)
    chosen = [mutant for mutant in MUTANTS if not options.names or mutant.name in options.names]
    copy_tree()
    check_patches()
    missed: dict[str, list[str]] = {}
    for core in options.core or ("python", "cython"):
        if not options.skip_base:
            check_base(core)
        missed[core] = []
        for mutant in chosen:
            result = hunt(mutant, core)
            print(json.dumps(result), flush=True)
            with options.report.open("a", encoding="utf-8") as report:
                report.write(json.dumps(result) + os.linesep)
            if result["found_by"] is None:
                missed[core].append(mutant.name)
    for core, names in missed.items():
        print(
            f"{core}: {len(chosen) - len(names)} of {len(chosen)} found; missed: {', '.join(names) or 'none'}"
        )
    allowed = len(MUTANTS) - REQUIRED
    return 1 if any(len(names) > allowed for names in missed.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
