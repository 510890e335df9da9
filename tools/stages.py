"""The stages of `make check`: what each one runs.

Owns: the list, each stage's bound on time, and what cannot share the machine. May not know: how stages
are scheduled or reported.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fastmux._switches import REQUIRE_EXTENSIONS, is_on
from tools import stubs
from tools.interpreters import (
    BUILD,
    find_interpreter,
    fresh_environment,
    source_archive,
)
from tools.running import COMPILED, PURE, ROOT, Runner, StageFailed, StageSkipped, answer

PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
OTHER_PYTHONS = ("3.12", "3.13")


@dataclass(frozen=True, slots=True)
class Stage:
    """One named check; `timeout` in seconds. A stage `alone` measures time and shares no processor.

    Stages of the same `order` may run side by side, lower orders first.
    """

    name: str
    action: Callable[[Runner], None]
    timeout: float
    order: int = 1
    alone: bool = False


def need_compiled_core() -> None:
    """Raise StageSkipped if there is no compiled core here, or StageFailed if there had to be one."""
    question = "from fastmux import core; print(core.describe())"
    core = answer(sys.executable, "-c", question) or "fastmux cannot be imported"
    if not core.endswith("compiled core"):
        required = is_on(os.environ.get(REQUIRE_EXTENSIONS))
        raise (StageFailed if required else StageSkipped)(f"needs the compiled core: {core}")


def package(runner: Runner) -> None:
    """The source archive, of which the other stages build; and the wheel without extensions."""
    archive = source_archive(runner)
    out = BUILD / "pure-wheel"
    shutil.rmtree(out, ignore_errors=True)
    runner.run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", out, archive),
        env=PURE,
    )
    if not list(out.glob("fastmux-*-py3-none-any.whl")):
        raise StageFailed(f"not a pure wheel: {[path.name for path in out.iterdir()]}")


def lint(runner: Runner) -> None:
    """ruff, mypy and cython-lint; all of them, even if one fails."""
    binaries = Path(sys.executable).parent
    commands: list[tuple[str | Path, ...]] = [
        (sys.executable, "-m", "ruff", "check", "."),
        (sys.executable, "-m", "mypy"),
        (binaries / "cython-lint", "src/fastmux"),
    ]
    # cython-lint looks for pycodestyle on the path
    runner.run_all(*commands, env={"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"})


def stubtest(runner: Runner) -> None:
    """The contract against the pure core, then against the compiled one."""
    stubs.check_pure(runner)
    need_compiled_core()
    stubs.check_compiled(runner)


def uvloop(runner: Runner) -> None:
    """Every test that takes a loop, on uvloop, on the compiled core where there is one."""
    if answer(sys.executable, "-c", "import uvloop") is None:
        raise StageSkipped("uvloop is not installed (no build of it for this interpreter)")
    need_compiled_core()
    rooms = ("tests/aio", "tests/e2e", "tests/adapters", "tests/on_anyio", "tests/tunnel")
    runner.run(*PYTEST, *rooms, "-k", "uvloop", env=COMPILED)


def sanitizer(runner: Runner) -> None:
    """The suite on a core built with the address and undefined-behaviour sanitizers, without pools."""
    need_compiled_core()
    library = answer(os.environ.get("CC", "cc"), "-print-file-name=libasan.so")
    if library is None or not Path(library).is_absolute():
        raise StageSkipped("the C compiler has no libasan.so to preload")
    tree = ROOT / "build" / "sanitizer"
    shutil.rmtree(tree / "lib", ignore_errors=True)
    runner.run(
        *(sys.executable, "setup.py", "--quiet", "build"),
        *("--build-lib", tree / "lib", "--build-temp", tree / "temp"),
        env={**COMPILED, "FASTMUX_SANITIZE": "1"},
    )
    env = {
        **COMPILED,
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(tree / "lib"),
    }
    where = f"import fastmux._core as c; assert c.__file__.startswith({str(tree)!r}), c.__file__"
    runner.run(sys.executable, "-c", where, env=env)
    patience = ("-o", "timeout=400", "-o", "faulthandler_timeout=350")
    # The benchmarks' own tests bring no code of the core, but plots and processes that bear no preloading.
    runner.run(*PYTEST, *patience, "--ignore=tests/benchmarks", env=env)


def instructions(runner: Runner) -> None:
    """Instructions a packet under callgrind, against the committed figures of the same build."""
    if shutil.which("valgrind") is None:
        raise StageSkipped("valgrind is not installed")
    need_compiled_core()
    runner.run(sys.executable, "-m", "tools.instructions", env=COMPILED)


def compiled_seeds(runner: Runner) -> None:
    """2,000 seeds of the deterministic network on the compiled core."""
    need_compiled_core()
    runner.run(*PYTEST, "-o", "timeout=0", "tests/sim", "--seeds=2000", env=COMPILED)


def pure_seeds(runner: Runner) -> None:
    """100 seeds of the deterministic network on the pure core."""
    runner.run(*PYTEST, "-o", "timeout=0", "tests/sim", "--seeds=100", env=PURE)


def other_python(version: str, runner: Runner) -> None:
    """Core and asyncio tests on another CPython, against the package as it would be installed."""
    python = find_interpreter(version)
    need_compiled_core()
    binaries = fresh_environment(
        runner, python, f"cpython-{version}", "[test,tunnel,rich]", COMPILED
    )
    for switches in (COMPILED, PURE):
        runner.run(
            *(binaries / "python", "-P", "-m", "pytest", "-p", "no:cacheprovider"),
            *("tests/core", "tests/aio"),
            env=switches,
        )


def wheel(runner: Runner) -> None:
    """The wheel, built and installed with its plain dependencies in a fresh environment."""
    need_compiled_core()
    binaries = fresh_environment(runner, Path(sys.executable), "wheel", "", COMPILED)
    runner.run(binaries / "fastmux", "--version", env=COMPILED)
    where = "import fastmux.core as c; assert 'site-packages' in c.__file__, c.__file__"
    runner.run(binaries / "python", "-P", "-c", where, env=COMPILED)
    runner.run(binaries / "pip", "check")


def demo(name: str, runner: Runner) -> None:
    """The main job in an environment that an earlier stage has made."""
    command = BUILD / name / "bin" / "fastmux"
    if not command.exists():
        raise StageSkipped(f"the stage `{name}` made no environment")
    runner.run(command, "demo", env=COMPILED)


def programs(runner: Runner) -> None:
    """The tunnel with ssh, curl, dig, iperf3, rsync, git and Chromium; missing ones skip their tests."""
    need_compiled_core()
    env = {**COMPILED, "FASTMUX_TEST_PROGRAMS": "1"}
    runner.run(*PYTEST, "-rs", "tests/programs", env=env)


def stages() -> list[Stage]:
    """Every stage, the longest first within an order, so that two at a time end together."""
    others = [
        Stage(f"cpython-{version}", partial(other_python, version), 600)
        for version in OTHER_PYTHONS
    ]
    demos = [
        Stage(f"demo-{name}", partial(demo, name), 120, order=2, alone=True)
        for name in ("wheel", *(f"cpython-{version}" for version in OTHER_PYTHONS))
    ]
    return [
        Stage("package", package, 240, order=0),
        Stage("lint", lint, 240, order=0),
        Stage("sanitizer", sanitizer, 900),
        Stage("seeds-compiled", compiled_seeds, 600),
        *others,
        Stage("seeds-pure", pure_seeds, 600),
        Stage("uvloop", uvloop, 300),
        Stage("instructions", instructions, 300),
        Stage("stubtest", stubtest, 240),
        Stage("wheel", wheel, 300),
        *demos,
        Stage("programs", programs, 600, order=2, alone=True),
    ]
