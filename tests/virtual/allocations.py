"""Connections while allocations of the core fail: `python -m virtual.allocations 1000` with the shim.

Owns: the dice of the shim (`allocations.c`, loaded by LD_PRELOAD), the connections, and what is told of them
in one line of JSON. May not know: which allocation it is that fails.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import json
import os
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, Final

from fastmux import PLAINTEXT, connect, core
from virtual.transfers import NEAR, Scene, content, upload
from virtual.world import World

SHIM: Final = "FASTMUX_TEST_SHIM"  # the path of the compiled one
ONE_IN: Final = 100
_STREAMS: Final = 4


class Shim:
    """Makes allocations of the core fail."""

    def __init__(self) -> None:
        module = importlib.import_module("fastmux._core")
        lines = [line.split() for line in Path("/proc/self/maps").read_text("utf-8").splitlines()]
        (code,) = [line for line in lines if line[-1] == module.__file__ and "x" in line[1]]
        self._begin, self._end = (int(edge, 16) for edge in code[0].split("-"))
        self._library = ctypes.CDLL(os.environ[SHIM])
        self._library.fm_fail_allocations.argtypes = [ctypes.c_uint64] * 4
        self._library.fm_failed_allocations.restype = ctypes.c_uint64

    def fail(self, one_in: int, seed: int) -> None:
        """From now on one in so many fails, 0: none."""
        self._library.fm_fail_allocations(one_in, seed, self._begin, self._end)

    @property
    def failed(self) -> int:
        """How many have failed."""
        return int(self._library.fm_failed_allocations())


def run_one(shim: Shim, seed: int) -> tuple[str, list[Any]]:
    """One connection with four uploads: how it ended, and what nobody caught."""
    with World(seed, NEAR) as world:
        scene = Scene(world)

        async def main() -> None:
            async with connect(scene.far.ip, 4433, tls=PLAINTEXT) as connection, asyncio.TaskGroup() as group:
                for number in range(_STREAMS):
                    group.create_task(upload(connection, content(30_000, number)))

        shim.fail(ONE_IN, seed)
        try:
            world.run(scene.near, main(), timeout=100.0)
            ending = "whole"
        except BaseException as error:
            ending = _name(error)
        finally:
            shim.fail(0, 0)
        return ending, [str(report) for report in world.reports()]


def _name(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def main(count: int) -> None:
    """Run so many connections and say how they ended."""
    warnings.simplefilter("ignore", ResourceWarning)
    shim = Shim()
    endings: Counter[str] = Counter()
    reports: list[Any] = []
    for seed in range(count):
        ending, told = run_one(shim, seed)
        endings[ending] += 1
        reports += told
    gc.collect()
    print(json.dumps({"endings": endings, "reports": reports, "failed": shim.failed, "live": core.live()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
