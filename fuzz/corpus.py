"""The inputs kept in the repository, and how few of them reach all that many reach.

Owns: fuzz/corpus, one text file a target: a line is an input in base64, and after it, where it has found
something, what that was. May not know: how inputs are executed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from fuzz.targets import Target

CORPUS = Path(__file__).parent / "corpus"


def path_of(target: Target) -> Path:
    """Where a target's inputs are."""
    return CORPUS / f"{target.corpus or target.name}.txt"


def kept_inputs(target: Target) -> dict[bytes, str]:
    """Each input of the file and what it has found, "" for one that only reaches something."""
    path = path_of(target)
    if not path.exists():
        return {}
    kept: dict[bytes, str] = {}
    for line in path.read_text("ascii").splitlines():
        text, _, found = line.partition(" ")
        kept[base64.b64decode(text, validate=True)] = found
    return kept


def inputs_of(target: Target) -> list[bytes]:
    """Seeds and kept inputs, each once."""
    return list(dict.fromkeys([*target.seeds(), *kept_inputs(target)]))


def name_of(data: bytes) -> str:
    """A short name that follows from what is in it."""
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
    """The target's file holds these now, and what has found something; its size in bytes."""
    found = {data: what for data, what in kept_inputs(target).items() if what}
    seeds = set(target.seeds())
    chosen = {**{data: "" for data in inputs if data not in seeds}, **found}
    lines = []
    for data in sorted(chosen, key=lambda data: (chosen[data] == "", len(data), data)):
        lines.append(f"{base64.b64encode(data).decode()} {chosen[data]}".rstrip())
    path = path_of(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "ascii")
    return path.stat().st_size
