"""The inputs kept in the repository, and how few of them reach all that many reach.

Owns: fuzz/corpus. May not know: how inputs are executed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from fuzz.targets import Target

CORPUS = Path(__file__).parent / "corpus"


def folder_of(target: Target) -> Path:
    """Where a target's inputs are."""
    return CORPUS / target.name


def files_of(target: Target) -> list[Path]:
    """The files of a target, findings first by their names."""
    return sorted(folder_of(target).glob("*.bin"))


def inputs_of(target: Target) -> list[bytes]:
    """Seeds and files, each once."""
    return list(dict.fromkeys([*target.seeds(), *(path.read_bytes() for path in files_of(target))]))


def name_of(data: bytes) -> str:
    """A file's name without its end: it follows from what is in it."""
    return hashlib.sha256(data).hexdigest()[:12]


def smallest_cover(inputs: Iterable[bytes], features: Callable[[bytes], Iterable[int]]) -> list[bytes]:
    """Inputs, short ones first, of which each reaches something that those before it do not."""
    kept: list[bytes] = []
    seen: set[int] = set()
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        reached = set(features(data))
        if reached - seen:
            seen |= reached
            kept.append(data)
    return kept


def write(target: Target, inputs: Iterable[bytes]) -> int:
    """The target's files are these now, and its findings (which have a name of their own); their bytes."""
    folder = folder_of(target)
    folder.mkdir(parents=True, exist_ok=True)
    findings = [path for path in files_of(target) if path.name.startswith("finding-")]
    for path in files_of(target):
        if path not in findings:
            path.unlink()
    seeds = set(target.seeds())
    for data in inputs:
        if data not in seeds:
            (folder / f"{name_of(data)}.bin").write_bytes(data)
    return sum(path.stat().st_size for path in files_of(target))
