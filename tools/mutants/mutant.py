"""What a planted bug is.

Owns: the types and how a patch is applied. May not know: which bugs there are, how they are hunted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Patch:
    """`old`, which stands once in the file, becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """The same bug in both cores: patches of files in `_core_py` and in `_pxi`."""

    name: str
    why: str
    pure: tuple[Patch, ...]
    compiled: tuple[Patch, ...]

    def patches(self, core: str) -> tuple[Patch, ...]:
        """Those of "python" or "cython"."""
        return self.pure if core == "python" else self.compiled


FOLDERS = {"python": "_core_py", "cython": "_pxi"}


def one(
    name: str, why: str, pure: tuple[str, str, str], compiled: tuple[str, str, str], *more: Patch
) -> Mutant:
    """A bug of one place a core; `more` are further places of the compiled one."""
    return Mutant(name, why, (Patch(*pure),), (Patch(*compiled), *more))


def path_of(tree: Path, core: str, patch: Patch) -> Path:
    """The file of a patch in a copy of the project."""
    return tree / "src" / "fastmux" / FOLDERS[core] / patch.file


def apply(tree: Path, core: str, mutant: Mutant) -> dict[Path, str]:
    """Plants the bug; gives the files as they were. ValueError if a text is not there once."""
    before: dict[Path, str] = {}
    for patch in mutant.patches(core):
        path = path_of(tree, core, patch)
        text = path.read_text("utf-8")
        if text.count(patch.old) != 1:
            raise ValueError(f"{mutant.name}: {patch.file} has {text.count(patch.old)} times: {patch.old!r}")
        before.setdefault(path, text)
        path.write_text(text.replace(patch.old, patch.new), "utf-8")
    return before


def restore(before: dict[Path, str]) -> None:
    """Takes the bug out again."""
    for path, text in before.items():
        path.write_text(text, "utf-8")
