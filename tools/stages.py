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
from tools import stubs, wheels
from tools.interpreters import find_interpreter, source_archive
from tools.running import COMPILED, PURE, ROOT, Runner, StageFailed, StageSkipped, answer

PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")  # those that are not here are skipped
DEMOS = ("wheel-pure", "wheel-3.11", "wheel-3.12", "wheel-3.13")  # the environments that run the demo
# What stands on the public interface does nothing with the core that the rooms below it do not; and plots and
# processes bear no preloading.
NO_CORE_OF_THEIR_OWN = (
    *("adapters", "benchmarks", "documentation", "on_anyio", "on_dask", "on_trio", "qlog", "tunnel"),
    *("virtual", "wireshark", "test_examples.py", "test_prometheus.py"),
)
# Executions of each target of the fuzzers: some seconds each.
FUZZED = {
    "headers": 2_000_000,
    "frames": 1_000_000,
    "ledger": 300_000,
    "stream": 100_000,
    "fragments": 300_000,
    "connection": 10_000,
    "packets": 200_000,
    "handshake": 1_000,
    "strays": 10_000,
}


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
    """The source archive, of which everything else is built; and the wheel without extensions."""
    source_archive(runner)
    wheel = wheels.build_wheel(runner, sys.executable, "wheel-pure", PURE)
    wheels.publishable(runner, wheel, "py3-none")


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


def sanitizer_library() -> str:
    """What a process must preload to run code built with the sanitizers; StageSkipped without it."""
    library = answer(os.environ.get("CC", "cc"), "-print-file-name=libasan.so")
    if library is None or not Path(library).is_absolute():
        raise StageSkipped("the C compiler has no libasan.so to preload")
    return library


def fuzz(runner: Runner) -> None:
    """Every target of the fuzzers for some seconds, under the sanitizers, from the kept inputs."""
    need_compiled_core()
    sanitizer_library()
    for target, executions in FUZZED.items():
        bounds = ("--executions", str(executions), "--seconds", "40")
        runner.run(sys.executable, "-m", "fuzz", target, *bounds, env=COMPILED)


def sanitizer(runner: Runner) -> None:
    """The suite on a core built with the address and undefined-behaviour sanitizers, without pools."""
    need_compiled_core()
    library = sanitizer_library()
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
    runner.run(*PYTEST, *patience, *(f"--ignore=tests/{room}" for room in NO_CORE_OF_THEIR_OWN), env=env)


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


def virtual(runner: Runner) -> None:
    """The asyncio layer on its virtual machine: kept seeds, 300 more, then the slow real processes."""
    need_compiled_core()
    env = {**COMPILED, "PYTHONPATH": str(ROOT)}
    runner.run(sys.executable, "-m", "tests.virtual.runner", "--kept", "--count", "300", env=env)
    long = {**COMPILED, "FASTMUX_TEST_LONG": "1"}
    runner.run(*PYTEST, "tests/virtual/test_processes.py", env=long)


def wheel(version: str, runner: Runner) -> None:
    """A CPython's wheel: built, repaired, installed without a compiler, tested on both cores, typed."""
    python = find_interpreter(version)
    need_compiled_core()
    tag = f"cp{version.replace('.', '')}-cp{version.replace('.', '')}"
    name = f"wheel-{version}"
    built = wheels.publishable(runner, wheels.build_wheel(runner, python, name, COMPILED), tag)
    binaries = wheels.install(runner, python, name, built)
    runner.run(binaries / "fastmux", "--version", env=COMPILED)
    wheels.run_tests(runner, binaries, COMPILED)  # those of the core are run on both cores
    if version != f"{sys.version_info.major}.{sys.version_info.minor}":  # `wheel-pure` does it on ours
        wheels.run_tests(runner, binaries, PURE, ["tests/aio"])
    wheels.check_types(runner, binaries)


def pure_wheel(runner: Runner) -> None:
    """The wheel without extensions: installed without a compiler and tested."""
    built = wheels.one_wheel(wheels.WHEELHOUSE, "fastmux-*-py3-none-any.whl")
    binaries = wheels.install(runner, sys.executable, "wheel-pure", built)
    runner.run(binaries / "fastmux", "--version")
    wheels.run_tests(runner, binaries, {})


def demo(name: str, runner: Runner) -> None:
    """The main job in an environment that an earlier stage has made."""
    binaries = wheels.environment_of(name)
    env = {} if name == "wheel-pure" else COMPILED
    runner.run(binaries / "fastmux", "demo", env={**env, "PATH": str(binaries)})


def workflows(runner: Runner) -> None:
    """Workflows and Dependabot against GitHub's schemas and zizmor's rules, and actionlint's if installed."""
    binaries = Path(sys.executable).parent
    files = sorted(ROOT.glob(".github/workflows/*.yml"))
    dependabot = ROOT / ".github/dependabot.yml"
    schema = (binaries / "check-jsonschema", "--builtin-schema")
    commands: list[tuple[str | Path, ...]] = [
        (*schema, "vendor.github-workflows", *files),
        (*schema, "vendor.dependabot", dependabot),
        (binaries / "zizmor", "--offline", "--persona=pedantic", *files, dependabot),
    ]
    actionlint = shutil.which("actionlint")
    if actionlint is not None:
        commands.append((actionlint, *files))
    runner.run_all(*commands)


def docs(runner: Runner) -> None:
    """The documentation site; a warning is an error."""
    if answer(sys.executable, "-c", "import sphinx, furo, myst_parser, sphinx_copybutton") is None:
        raise StageSkipped("the extra `docs` is not installed: `make docs` does that")
    runner.run(*site_command(ROOT / "build" / "check" / "docs"))


def site_command(out: Path) -> tuple[str | Path, ...]:
    """What builds the site from scratch into a folder."""
    return (
        *(sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"),
        *("--fresh-env", "--builder", "html", ROOT / "docs", out),
    )


def programs(runner: Runner) -> None:
    """The tunnel with ssh, curl, dig, iperf3, rsync, git and Chromium; missing ones skip their tests."""
    need_compiled_core()
    env = {**COMPILED, "FASTMUX_TEST_PROGRAMS": "1"}
    runner.run(*PYTEST, "-rs", "tests/programs", env=env)


def stages() -> list[Stage]:
    """Every stage, the longest first within an order, so that two at a time end together."""
    by_version = [Stage(f"wheel-{version}", partial(wheel, version), 600) for version in PYTHONS]
    demos = [
        Stage(f"demo-{name}", partial(demo, name), 180, order=2, alone=True) for name in DEMOS
    ]
    return [
        Stage("package", package, 240, order=0),
        Stage("lint", lint, 240, order=0),
        Stage("workflows", workflows, 120, order=0),
        Stage("sanitizer", sanitizer, 900),
        Stage("seeds-compiled", compiled_seeds, 600),
        *by_version,
        Stage("seeds-pure", pure_seeds, 600),
        Stage("uvloop", uvloop, 300),
        Stage("virtual", virtual, 400),
        Stage("fuzz", fuzz, 400),
        Stage("instructions", instructions, 300),
        Stage("stubtest", stubtest, 240),
        Stage("wheel-pure", pure_wheel, 300),
        Stage("docs", docs, 240),
        *demos,
        Stage("programs", programs, 600, order=2, alone=True),
    ]
