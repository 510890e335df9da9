"""The two cores have the same parts: one file for one idea in each, under the same name."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "fastmux"
INCLUDE = re.compile(r'^include "_pxi/(\w+)\.pxi"$', re.MULTILINE)


def parts(folder: str, suffix: str) -> set[str]:
    """The names of a core's parts; those that begin with an underscore are its own business."""
    names = {path.stem for path in (SOURCE / folder).glob(f"*{suffix}")}
    return {name for name in names if not name.startswith("_")}


def test_both_cores_have_the_same_parts() -> None:
    pure = parts("_core_py", ".py")
    assert pure
    assert parts("_pxi", ".pxi") == pure


def test_the_extension_includes_each_of_its_parts_once() -> None:
    included = INCLUDE.findall((SOURCE / "_core.pyx").read_text("utf-8"))
    assert sorted(included) == sorted(path.stem for path in SOURCE.glob("_pxi/*.pxi"))
