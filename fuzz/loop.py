"""The loops: mutate, execute, keep what reached something new.

Owns: one run of one target in this process. May not know: what a target checks; how the process was started.
"""

from __future__ import annotations

import hashlib
import mmap
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from fastmux import _core_py
from fuzz import corpus
from fuzz.targets import TARGETS, Target

SLICE = 200_000  # executions between looks at the clock
AREA_SIZE = 8192
DRAWN = 2000  # inputs by rule that a loop in C begins with


@dataclass
class Report:
    """What a run came to; `finding` is what did not hold, `culprit` its input."""

    target: str
    executions: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0  # what the process itself had of them
    edges: int = 0
    inputs: list[bytes] = field(default_factory=list)
    finding: str | None = None
    culprit: bytes = b""


def last_input(target: str, folder: Path) -> Path:
    """The file that holds the input of the execution under way: what is left of a process that died."""
    return folder / f"{target}.last"


def open_area(target: str, folder: Path) -> mmap.mmap:
    """That file, mapped."""
    folder.mkdir(parents=True, exist_ok=True)
    path = last_input(target, folder)
    path.write_bytes(bytes(AREA_SIZE))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), AREA_SIZE)


def load_inputs(native: ModuleType, target: Target, seed: int) -> None:
    """The corpus and the seeds of the target, and the dice."""
    native.forget_inputs()
    native.coverage_forget()
    native.seed_dice(seed)
    for data in corpus.inputs_of(target):
        native.add_input(data)
    if target.draw is not None and target.is_native:
        dice = random.Random(seed)
        for _ in range(DRAWN):
            native.add_input(target.draw(dice))


def run_native(
    native: ModuleType, target: Target, area: mmap.mmap, executions: int, stop_at: float
) -> Report:
    """A target whose loop is in C."""
    report = Report(target.name)
    started_at = time.monotonic()
    try:
        for data in native.kept_inputs():  # as they are, once
            native.run_one(target.name, data, area)
        while report.executions < executions and time.monotonic() < stop_at:
            count = min(SLICE, executions - report.executions)
            native.run(target.name, count, area, target.max_size)
            report.executions += count
    except AssertionError as error:
        report.finding, report.culprit = error.args
    report.seconds = time.monotonic() - started_at
    return report


class PythonLoop:
    """A target whose loop is in Python. Where edges are not counted, what is new is a result never seen."""

    def __init__(self, native: ModuleType, target: Target, area: mmap.mmap, core: Any, twin: Any) -> None:
        self._native = native
        self._target = target
        self._area = area
        self._core = core
        self._twin = twin
        self._seen: set[int] = set()
        self._dice = random.Random(random.getrandbits(64))

    def execute(self, data: bytes) -> bool:
        """True if the input came to something new; AssertionError if something did not hold."""
        self._area[:4] = len(data).to_bytes(4, "little")
        self._area[64 : 64 + len(data)] = data
        self._native.coverage_begin()
        result = self._target.replay(self._core, data)
        is_new = bool(self._native.coverage_end())
        if self._twin is not None:
            other = self._target.replay(self._twin, data)
            assert result == other, difference(result, other)
        if self._target.signature is not None:
            signature = hash(self._target.signature(result))
            is_new = is_new or signature not in self._seen
            self._seen.add(signature)
        return is_new

    def _next(self) -> bytes:
        """An input that is drawn, for every third if the target can, or one that is kept, changed."""
        if self._target.draw is not None and random.random() < 1 / 3:
            return self._target.draw(self._dice)
        changed: bytes = self._native.mutated(self._target.max_size)
        return changed

    def run(self, executions: int, stop_at: float) -> Report:
        """So many executions, or until the time is over, or something does not hold."""
        report = Report(self._target.name)
        started_at = time.monotonic()
        pending = list(self._native.kept_inputs())
        while report.executions < executions and time.monotonic() < stop_at:
            data = pending.pop() if pending else self._next()
            try:
                if self.execute(data):
                    self._native.add_input(data)
            except Exception as error:  # whatever leaves a target is a finding
                report.finding, report.culprit = f"{type(error).__name__}: {error}", data
                break
            report.executions += 1
        report.seconds = time.monotonic() - started_at
        return report


def difference(result: Any, other: Any) -> str:
    """Where the traces of the two cores part."""
    if isinstance(result, list) and isinstance(other, list):
        for place, (one, two) in enumerate(zip(result, other, strict=False)):
            if one != two:
                return f"the cores differ at {place}: {one!r} and {two!r}"
    return f"the cores differ: {result!r} and {other!r}"


def run(
    native: ModuleType, name: str, *, executions: int, seconds: float, seed: int, twins: bool, folder: Path
) -> Report:
    """One run of a target from its corpus."""
    target = TARGETS[name]
    random.seed(seed)
    load_inputs(native, target, seed)
    area = open_area(name, folder)
    stop_at = time.monotonic() + seconds
    cpu_at = time.process_time()
    if target.is_native and not twins:
        report = run_native(native, target, area, executions, stop_at)
    else:
        twin = _core_py if twins else None
        report = PythonLoop(native, target, area, native, twin).run(executions, stop_at)
    report.cpu_seconds = time.process_time() - cpu_at
    report.edges = native.coverage_edges()
    report.inputs = native.kept_inputs()
    return report


def name_of(data: bytes) -> str:
    """The file name of an input: it follows from what is in it."""
    return hashlib.sha256(data).hexdigest()[:12]
