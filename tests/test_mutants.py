"""The list of planted bugs stays one: each has its place in both cores, and changes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.mutants.__main__ import MUTANTS, REQUIRED
from tools.mutants.mutant import Mutant, Patch, apply, one, path_of, restore

ROOT = Path(__file__).parent.parent


def test_there_are_forty_and_all_but_two_must_be_found() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) == 40
    assert REQUIRED == 38


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_has_its_place_in_both_cores(mutant: Mutant) -> None:
    for which in ("python", "cython"):
        assert mutant.patches(which)
        for patch in mutant.patches(which):
            assert path_of(ROOT, which, patch).read_text("utf-8").count(patch.old) == 1
            assert patch.old != patch.new


def test_a_bug_is_planted_and_taken_out_again(tmp_path: Path) -> None:
    folder = tmp_path / "src" / "fastmux" / "_core_py"
    folder.mkdir(parents=True)
    (folder / "it.py").write_text("a < b\nc < d\n", "utf-8")
    mutant = one("it", "why", ("it.py", "a < b", "a <= b"), ("it.pxi", "a < b", "a <= b"))
    before = apply(tmp_path, "python", mutant)
    assert (folder / "it.py").read_text("utf-8") == "a <= b\nc < d\n"
    restore(before)
    assert (folder / "it.py").read_text("utf-8") == "a < b\nc < d\n"


def test_a_bug_without_its_place_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "src" / "fastmux" / "_core_py"
    folder.mkdir(parents=True)
    (folder / "it.py").write_text("a < b\na < b\n", "utf-8")
    mutant = Mutant("it", "why", (Patch("it.py", "a < b", "a <= b"),), ())
    with pytest.raises(ValueError, match="2 times"):
        apply(tmp_path, "python", mutant)
