"""`make test`: the suite on the compiled and on the pure core, side by side.

Owns: the two runs and the verdict. May not know: what a test does. Arguments go on to pytest.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from tools.running import COMPILED, PURE, ROOT, answer, environment, stop

TIMEOUT = 900.0  # seconds; the suite should take under 240
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
        """Wait for the end and return the exit status; kill what is still running by then."""
        try:
            code = self._process.wait(timeout=max(timeout, 0.1))
        except subprocess.TimeoutExpired:
            print(f"{self.core:>6} | out of time after {TIMEOUT:.0f} s", flush=True)
            code = 1
        finally:
            if self._process.poll() is None:
                stop(self._process)
        self._reader.join(timeout=10)
        return code


def compiled_core_works() -> bool:
    """True if the compiled core can be loaded; else say why there will be only one run."""
    core = answer(sys.executable, "-c", "from fastmux import core; print(core.describe())")
    if core is not None and core.endswith("compiled core"):
        return True
    print(f"no run on the compiled core: {core or 'fastmux cannot be imported'}", flush=True)
    return False


def main(arguments: list[str]) -> int:
    """Run the suite on each core there is; non-zero unless every run passed and none was missing."""
    cores = {"python": PURE}
    missing = not compiled_core_works()
    if not missing:
        cores = {"cython": COMPILED, **cores}
    started_at = time.monotonic()
    suites = [Suite(core, env, arguments) for core, env in cores.items()]
    codes = []
    try:
        codes = [suite.finish(started_at + TIMEOUT - time.monotonic()) for suite in suites]
    finally:
        for suite in suites:
            suite.finish(0.0)
    LOGS.mkdir(parents=True, exist_ok=True)
    for suite in suites:
        Path(LOGS, f"{suite.core}.log").write_text("\n".join(suite.log) + "\n", "utf-8")
        print(f"suite on the {suite.core} core, exit status {codes[suites.index(suite)]}:")
        print(suite.log[-1] if suite.log else "no output")
    print(f"both cores: {time.monotonic() - started_at:.0f} s", flush=True)
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
