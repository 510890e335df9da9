"""The small link emulator in place of netem, where the kernel has none: bench/link.c between two sockets.

Owns its process. It carries UDP only, for one client, on loopback. Knows no contender.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.linkshape import LinkShape
from bench.places import Loopback, PlaceUnavailable

SOURCE = Path(__file__).with_name("link.c")
SEED = 20_260
COMPILE_SECONDS = 60
END_SECONDS = 5


def compile_emulator(folder: Path) -> Path:
    """Compile bench/link.c into `folder`. Raises PlaceUnavailable without Linux or a C compiler."""
    compiler = os.environ.get("CC", "cc")
    if sys.platform != "linux" or shutil.which(compiler) is None:
        raise PlaceUnavailable("the link emulator needs Linux and a C compiler")
    program = folder / "link"
    command = [compiler, "-O3", "-o", str(program), str(SOURCE), "-lm"]
    subprocess.run(command, check=True, timeout=COMPILE_SECONDS)
    return program


class EmulatedLink:
    """A place: both workers on loopback, with the emulator's link between them.

    `reports` gets what the emulator counted in each run: datagrams forwarded, lost and dropped, each way.
    """

    host = Loopback.host

    def __init__(self, program: Path, shape: LinkShape) -> None:
        self._program = program
        self._shape = shape
        self._runs = 0
        self.reports: list[dict[str, dict[str, int]]] = []

    def at_server(self, command: Sequence[str]) -> list[str]:
        """As it is."""
        return list(command)

    def at_client(self, command: Sequence[str]) -> list[str]:
        """As it is."""
        return list(command)

    @contextmanager
    def route(self, port: int) -> Iterator[int]:
        """Run the emulator in front of `port`; each run has a seed of its own, the same in every bench."""
        shape = self._shape
        numbers = (shape.rate, shape.delay, shape.loss, SEED + self._runs, shape.queue_size)
        self._runs += 1
        process = subprocess.Popen(
            [str(self._program), self.host, str(port), *map(str, numbers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise PlaceUnavailable("the link emulator did not start")
            yield json.loads(line)["port"]
            output, _ = process.communicate(timeout=END_SECONDS)  # it ends when its standard input does
            self.reports.append(json.loads(output))
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
