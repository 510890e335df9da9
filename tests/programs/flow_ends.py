"""Starts the ends of flows at both sides of a link, each a process on one core, and reads what they say.

Owns: their command lines and what they said. May not know: what is measured.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fastmux._switches import NO_EXTENSIONS, REQUIRE_EXTENSIONS
from programs.flows import READY
from programs.processes import Programs, Running
from programs.tun_link import TunLink

TESTS = Path(__file__).resolve().parent.parent
SERVER_PORT, TCP_PORT = 4433, 5001
CORES = ("compiled", "pure")


@dataclass
class Told:
    """What an end said: `intake` are moments and bytes until then, `last` its last words."""

    intake: list[tuple[float, int]] = field(default_factory=list)
    last: dict[str, Any] = field(default_factory=dict)


def told(end: Running) -> Told:
    """All that it said until now; a line that is not whole yet is left out."""
    result = Told()
    for line in end.output().splitlines(keepends=True):
        if line.startswith("[") and line.endswith("\n"):
            moment, size = json.loads(line)
            result.intake.append((moment, size))
        elif line.startswith("{") and line.endswith("\n"):
            result.last = json.loads(line)
    return result


class FlowEnds:
    """The processes of one link: servers and sources at its far end, clients and sinks at the near one."""

    def __init__(self, link: TunLink, programs: Programs, credentials: Path, core: str) -> None:
        if core == "compiled" and importlib.util.find_spec("fastmux._core") is None:
            pytest.skip("the compiled core is not built")
        self._link = link
        self._programs = programs
        self._credentials = credentials
        pure = core == "pure"
        switches = {NO_EXTENSIONS: "1" if pure else "0", REQUIRE_EXTENSIONS: "0" if pure else "1"}
        self._environment = {"PYTHONPATH": str(TESTS), **switches}

    def serve(self, host: str, congestion: str, size: int) -> Running:
        """A server of fastmux that sends `size` bytes to one client."""
        return self._far("serve", host, SERVER_PORT, self._credentials, congestion, size)

    def fetch(self, host: str, congestion: str, size: int) -> Running:
        """Its client, which sends `size` bytes too."""
        return self._near("fetch", host, SERVER_PORT, self._credentials, congestion, size)

    def pour(self, host: str) -> Running:
        """A TCP server that sends without end, by CUBIC."""
        return self._far("tcp-source", host, TCP_PORT)

    def drain(self, host: str) -> Running:
        """Its client."""
        return self._near("tcp-sink", host, TCP_PORT)

    def _far(self, *words: object) -> Running:
        end = self._start(self._link.far, *words)
        end.wait_for_text(READY)
        return end

    def _near(self, *words: object) -> Running:
        return self._start(self._link.near, *words)

    def _start(self, prefix: list[str], *words: object) -> Running:
        command = [*prefix, sys.executable, "-m", "programs.flows", *map(str, words)]
        return self._programs.start(str(words[0]), command, env=self._environment)
