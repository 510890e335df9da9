"""The kept inputs of the fuzzers, findings among them, come to the same on both cores, and to nothing bad."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from conftest import CORES, load_core
from fuzz import corpus
from fuzz.targets import TARGETS, Target

CORE_TARGETS = [target for target in TARGETS.values() if target.is_of_core]
OTHERS = [target for target in TARGETS.values() if not target.is_of_core]
SIZE_LIMIT = 300_000  # bytes of all corpora: a clone must stay small


def named_inputs(target: Target) -> list[tuple[str, bytes]]:
    """Every input with the name of its file, or the place among the seeds."""
    seeds = [(f"seed {place}", data) for place, data in enumerate(target.seeds())]
    return seeds + [(path.name, path.read_bytes()) for path in corpus.files_of(target)]


def other_core(name: str) -> Any:
    """The core that is not this one; the same again where there is only one."""
    (other,) = (module for key, module in CORES.items() if key != name)
    try:
        return importlib.import_module(other)
    except ImportError:
        return load_core(name)


@pytest.mark.parametrize("target", CORE_TARGETS, ids=lambda target: target.name)
def test_every_kept_input_comes_to_the_same_on_both_cores(target: Target) -> None:
    pure = load_core("python")
    twin = other_core("python")
    for name, data in named_inputs(target):
        assert target.replay(twin, data) == target.replay(pure, data), name


@pytest.mark.parametrize("target", OTHERS, ids=lambda target: target.name)
def test_every_kept_input_leaves_connections_as_they_should_be(target: Target) -> None:
    for name, data in named_inputs(target):
        try:
            target.replay(None, data)
        except AssertionError as error:
            pytest.fail(f"{name}: {error}")


def test_the_corpora_are_small() -> None:
    files = [path for target in TARGETS.values() for path in corpus.files_of(target)]
    assert files
    assert sum(path.stat().st_size for path in files) <= SIZE_LIMIT


def test_every_file_of_a_corpus_belongs_to_a_target() -> None:
    found = {path for path in corpus.CORPUS.rglob("*") if path.is_file()}
    assert found == {path for target in TARGETS.values() for path in corpus.files_of(target)}


def test_a_file_is_named_after_what_is_in_it_or_after_what_it_found() -> None:
    for target in TARGETS.values():
        for path in corpus.files_of(target):
            assert path.stem.startswith("finding-") or path.stem == corpus.name_of(path.read_bytes())


def test_the_smallest_cover_keeps_an_input_for_everything_that_is_reached() -> None:
    reached = {b"a": [1], b"bb": [1, 2], b"cc": [2], b"ddd": [1, 2, 3], b"e": []}
    kept = corpus.smallest_cover(reached, lambda data: reached[data])
    assert kept == [b"a", b"bb", b"ddd"]


def test_a_corpus_that_is_written_anew_keeps_its_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "CORPUS", tmp_path)
    target = TARGETS["frames"]
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "finding-it.bin").write_bytes(b"found")
    (folder / "old.bin").write_bytes(b"old")
    assert corpus.write(target, [b"new", target.seeds()[0]]) == len(b"found") + len(b"new")
    assert [path.read_bytes() for path in corpus.files_of(target)] == [b"new", b"found"]
    assert corpus.inputs_of(target)[-2:] == [b"new", b"found"]
