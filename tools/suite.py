"""`make test`: the suite on the compiled and on the pure core, side by side.

Owns: the two runs and the verdict. May not know: what a test does. Arguments go on to pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from fastmux._switches import REQUIRE_EXTENSIONS, is_on
from tools.running import COMPILED, PURE, ROOT, answer, environment, stop

TIMEOUT = 900.0  # seconds; the suite should take a third of it
# Rooms that do not come near a core, or stand on the public names alone, or whose subject is the loop and its
# sockets: where both cores are tested, the pure one's run leaves them out.
CORELESS = (
    *("tests/benchmarks", "tests/documentation", "tests/on_dask", "tests/tunnel", "tests/virtual"),
    *("tests/e2e/test_tunnel_commands.py", "tests/e2e/test_workers.py", "tests/faults/soak"),
    *("tests/test_examples.py", "tests/test_scaling.py", "tests/wireshark"),
)
MOST_TOLD = 40  # lines of what failed, said again at the end
LOGS = ROOT / "build" / "test"


class Suite:
    """One run of pytest: its output goes to the terminal, each line with the core's name before it."""

    def __init__(self, core: str, env: dict[str, str], arguments: list[str]) -> None:
        self.core = core
        self.log: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=ROOT,
            env=environment({"PYTHONUNBUFFERED": "1", "COLUMNS": "100", **env}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._copy, daemon=True)
        self._reader.start()

    def _copy(self) -> None:
        output = self._process.stdout
        for raw in output or ():
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.log.append(line)
            print(f"{self.core:>6} | {line}", flush=True)

    def finish(self, timeout: float) -> int:
        """Wait for the end, at most `timeout` seconds, and return the exit status."""
        try:
            code = self._process.wait(timeout=max(timeout, 0.1))
        except subprocess.TimeoutExpired:
            self.kill()
            code = 1
            print(f"{self.core:>6} | out of time after {TIMEOUT:.0f} s", flush=True)
        self._reader.join(timeout=10)
        return code

    def kill(self) -> None:
        """End the run, with every process it started, if it has not ended."""
        if self._process.poll() is None:
            stop(self._process)

    def report(self, code: int) -> None:
        """Keep the log and print how the run closed."""
        LOGS.mkdir(parents=True, exist_ok=True)
        Path(LOGS, f"{self.core}.log").write_text("\n".join(self.log) + "\n", "utf-8")
        print(f"suite on the {self.core} core: exit status {code}")
        for line in failures(self.log) if code else ():
            print(f"  {line}")
        print(self.log[-1] if self.log else "no output", flush=True)


def failures(log: list[str]) -> list[str]:
    """What pytest said failed and why, in few lines: the reader of a long log starts at its end."""
    told = ("FAILED ", "ERROR ", "E   ")
    return [line for line in log if line.startswith(told)][-MOST_TOLD:]


def compiled_core_works() -> bool:
    """True if the compiled core can be loaded; else say why there will be only one run."""
    core = answer(sys.executable, "-c", "from fastmux import core; print(core.describe())")
    if core is not None and core.endswith("compiled core"):
        return True
    print(f"no run on the compiled core: {core or 'fastmux cannot be imported'}", flush=True)
    return False


def main(arguments: list[str]) -> int:
    """Run the suite on each core there is; non-zero unless every run passed.

    A missing compiled core is a failure only where FASTMUX_REQUIRE_EXTENSIONS is on.
    """
    cores = {"cython": COMPILED, "python": PURE}
    if not compiled_core_works():
        del cores["cython"]
        if is_on(os.environ.get(REQUIRE_EXTENSIONS)):
            return 1
    started_at = time.monotonic()
    once = [f"--ignore={room}" for room in CORELESS] if len(cores) > 1 else []
    more = {"cython": arguments, "python": [*once, *arguments]}
    suites = [Suite(core, env, more[core]) for core, env in cores.items()]
    try:
        codes = [suite.finish(started_at + TIMEOUT - time.monotonic()) for suite in suites]
    finally:
        for suite in suites:
            suite.kill()
    for suite, code in zip(suites, codes, strict=True):
        suite.report(code)
    print(f"seconds: {time.monotonic() - started_at:.0f}", flush=True)
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
