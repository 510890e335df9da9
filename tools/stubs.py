"""Holds one contract, `_core.pyi`, against both cores with stubtest.

Owns: the tree that gives the pure core that stub. May not know: what the contract says.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tools.running import COMPILED, PURE, ROOT, Runner

SOURCE = ROOT / "src" / "fastmux"
ALLOWED = Path(__file__).with_name("stubtest_allowlist.txt")


def _twin_stubs() -> Path:
    """A tree in which the pure core has the stub of the compiled one; its parts are their own."""
    tree = ROOT / "build" / "stubs"
    shutil.rmtree(tree, ignore_errors=True)
    package = tree / "fastmux"
    pure = package / "_core_py"
    pure.mkdir(parents=True)
    Path(package, "__init__.pyi").touch()
    for path in SOURCE.glob("*.py"):
        if path.name not in ("__init__.py", "__main__.py", "core.py"):
            shutil.copy(path, package)
    for path in SOURCE.glob("_core_py/*.py"):
        if path.name != "__init__.py":
            shutil.copy(path, pure)
    shutil.copy(SOURCE / "_core.pyi", pure / "__init__.pyi")
    return tree


def _stubtest(runner: Runner, module: str, path: Path, switches: dict[str, str]) -> None:
    runner.run(
        *(sys.executable, "-m", "mypy.stubtest", module),
        *("--allowlist", ALLOWED, "--ignore-unused-allowlist"),
        env={**switches, "MYPYPATH": str(path)},
    )


def check_compiled(runner: Runner) -> None:
    """Compare the contract with the extension."""
    _stubtest(runner, "fastmux._core", SOURCE.parent, COMPILED)


def check_pure(runner: Runner) -> None:
    """Compare the contract with the pure core."""
    _stubtest(runner, "fastmux._core_py", _twin_stubs(), PURE)
