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
    """Every input with a name to find it by."""
    return [(f"{target.name} {data.hex()}", data) for data in corpus.inputs_of(target)]


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
    assert sum(corpus.path_of(target).stat().st_size for target in TARGETS.values()) <= SIZE_LIMIT


def test_every_file_of_the_corpora_belongs_to_a_target() -> None:
    found = {path for path in corpus.CORPUS.rglob("*") if path.is_file()}
    assert found == {corpus.path_of(target) for target in TARGETS.values()}


def test_the_smallest_cover_keeps_an_input_for_everything_that_is_reached() -> None:
    reached = {b"a": [1], b"bb": [1, 2], b"cc": [2], b"ddd": [1, 2, 3], b"e": []}
    kept = corpus.smallest_cover(reached, lambda data: reached[data])
    assert kept == [b"a", b"bb", b"ddd"]


def test_a_corpus_that_is_written_anew_keeps_what_has_found_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "CORPUS", tmp_path)
    target = TARGETS["frames"]
    assert corpus.kept_inputs(target) == {}
    corpus.path_of(target).write_text("Zm91bmQ= what it was\nb2xk\n", "ascii")
    size = corpus.write(target, [b"new", b"newer", target.seeds()[0]])
    assert corpus.path_of(target).read_text("ascii") == "Zm91bmQ= what it was\nbmV3\nbmV3ZXI=\n"
    assert size == corpus.path_of(target).stat().st_size
    assert corpus.kept_inputs(target) == {b"found": "what it was", b"new": "", b"newer": ""}
    assert corpus.inputs_of(target)[-3:] == [b"found", b"new", b"newer"]
