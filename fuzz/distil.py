"""From the many inputs that runs have kept to the few that go into the repository.

Owns: build/fuzz/grown. May not know: how inputs are mutated.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from fuzz import corpus, loop
from fuzz.targets import Target


def grown_folder(target: Target, folder: Path) -> Path:
    """Where a run leaves what reached something new."""
    return folder / "grown" / target.name


def keep_grown(target: Target, folder: Path, inputs: Iterable[bytes]) -> None:
    """Adds inputs to those that earlier runs have left."""
    place = grown_folder(target, folder)
    place.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (place / f"{corpus.name_of(data)}.bin").write_bytes(data)


def distil(native: ModuleType, target: Target, folder: Path, size_limit: int) -> str:
    """Writes the corpus anew: short inputs that together reach what all reach, as far as the limit allows."""
    place = grown_folder(target, folder)
    grown = [path.read_bytes() for path in sorted(place.glob("*.bin"))]
    inputs = [*corpus.inputs_of(target), *grown]
    area = loop.open_area(target.name, folder)

    def features(data: bytes) -> list[int]:
        if target.is_native:
            native.run_one(target.name, data, area)
            return list(native.coverage_features())
        native.coverage_begin()
        result = target.replay(native, data)
        native.coverage_end()
        if target.signature is not None:
            return [hash(target.signature(result))]
        return list(native.coverage_features())

    kept = corpus.smallest_cover(inputs, features)
    chosen: list[bytes] = []
    size = 0
    for data in kept:
        if size + len(data) <= size_limit:
            chosen.append(data)
            size += len(data)
    written = corpus.write(target, chosen)
    return f"{target.name}: {len(inputs)} inputs, {len(kept)} cover all, {len(chosen)} kept, {written} bytes"
