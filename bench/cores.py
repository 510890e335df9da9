"""How far the two processes of a run are from each other: the round trip of a cache line between two cores.

Owns the question, asked before each turn, and how its answers read. Knows no contender.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("cores.c")
COMPILE_SECONDS = 60
ASK_SECONDS = 10


class Cores:
    """The answers of one run, in nanoseconds; none where there is one core, no Linux or no C compiler."""

    def __init__(self, folder: Path) -> None:
        self.round_trips: list[float] = []
        self._program: Path | None = None
        compiler = os.environ.get("CC", "cc")
        if sys.platform != "linux" or shutil.which(compiler) is None or len(os.sched_getaffinity(0)) < 2:
            return
        self._program = folder / "cores"
        command = [compiler, "-O2", "-pthread", "-o", str(self._program), str(SOURCE)]
        subprocess.run(command, check=True, timeout=COMPILE_SECONDS)

    def look(self) -> None:
        """Measure now. A machine so busy that it takes long has no answer this time."""
        if self._program is None:
            return
        try:
            asked = subprocess.run([self._program], capture_output=True, timeout=ASK_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return
        if asked.returncode == 0:
            self.round_trips.append(float(asked.stdout))

    def describe(self, start: int = 0) -> str:
        """What the answers from number `start` on were, for a table; "" without any."""
        some = self.round_trips[start:]
        if not some:
            return ""
        return f"core to core and back {min(some):.0f} to {max(some):.0f} ns"
