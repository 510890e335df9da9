"""Finds the other CPythons, and makes the source archive that wheels are built from.

Owns: where interpreters are, and the archive. May not know: what is built or run with them (`tools.wheels`).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.running import ROOT, Runner, StageSkipped, answer

BUILD = ROOT / "build" / "check"


def _candidates(version: str) -> Iterator[Path]:
    """Interpreters that may be of this version: pyenv's, newest first, then the one on PATH."""
    pyenv = answer("pyenv", "root")
    if pyenv is not None:
        homes = sorted(
            Path(pyenv, "versions").glob(f"{version}.*"),
            key=lambda home: [int(part) for part in home.name.split(".") if part.isdigit()],
        )
        yield from (home / "bin" / "python" for home in reversed(homes))
    on_path = shutil.which(f"python{version}")
    if on_path is not None:
        yield Path(on_path)


def find_interpreter(version: str) -> Path:
    """A working CPython of a version such as "3.12"; raise StageSkipped if there is none here."""
    question = "import sys, ssl, venv; print(sys.implementation.name, *sys.version_info[:2])"
    for candidate in _candidates(version):
        if answer(candidate, "-c", question) == f"cpython {version.replace('.', ' ')}":
            return candidate
    raise StageSkipped(f"no working CPython {version} in pyenv's versions or on PATH")


def source_archive(runner: Runner) -> Path:
    """Build the source archive afresh and return its path."""
    out = BUILD / "sdist"
    shutil.rmtree(out, ignore_errors=True)
    # Nothing is compiled for a source archive; the switch spares translating the core.
    runner.run(
        *(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", out),
        env={"FASTMUX_NO_EXTENSIONS": "1"},
    )
    return built_archive()


def built_archive() -> Path:
    """The source archive that the stage "package" has built; raise StageSkipped without it."""
    archives = sorted((BUILD / "sdist").glob("*.tar.gz"))
    if not archives:
        raise StageSkipped("no source archive: the stage `package` builds it")
    return archives[-1]
