"""Builds the compiled core once more, together with the targets in C and their driver.

Owns: the module `_fuzz_core` under build/fuzz, which has everything that `fastmux._core` has: it is made of
the same text. May not know: what a target checks.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "fastmux"
NATIVE = ROOT / "fuzz" / "native"
PARTS = (
    "_coverage",
    "_poison",
    "_mutator",
    "headers",
    "frames",
    "ledger",
    "stream",
    "fragments",
    "connection",
    "packets",
    "_driver",
)
DIED = 99  # exit status of a process that a sanitizer has ended
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to compile: `guided` counts edges, `sanitized` is as fast as the sanitizers let it be.

    `pooled` is faster: memory goes back to the core's pools, where the address sanitizer does not see it.
    """

    name: str
    flags: tuple[str, ...]
    is_sanitized: bool


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("plain", ("-O2",), False),
        Variant("sanitized", ("-O2", "-g1", "-DFASTMUX_NO_POOLS", *SANITIZERS), True),
        Variant("pooled", ("-O3", "-g1", *SANITIZERS), True),
        Variant(
            "guided",
            *(
                (
                    "-O1",
                    "-g1",
                    "-DFASTMUX_NO_POOLS",
                    "-DFUZZ_GUIDED",
                    *SANITIZERS,
                    "-fsanitize-coverage=trace-pc",
                ),
            ),
            True,
        ),
    )
}


def text_of_module() -> str:
    """The text of `_core.pyx`, its parts by their paths, and the parts of the fuzzer behind them."""
    core = (SOURCE / "_core.pyx").read_text("utf-8").replace('include "_pxi/', f'include "{SOURCE}/_pxi/')
    return core + "".join(f'include "{NATIVE}/{part}.pxi"\n' for part in PARTS)


def build(name: str) -> Path:
    """The module of that variant, made anew where a source is newer than it."""
    variant = VARIANTS[name]
    folder = ROOT / "build" / "fuzz" / name
    target = folder / f"_fuzz_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    sources = [SOURCE / "_core.pyx", *SOURCE.glob("_pxi/*.pxi"), *NATIVE.glob("*.pxi"), Path(__file__)]
    if target.exists() and target.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "_fuzz_core.pyx"
    source.write_text(text_of_module(), "utf-8")
    run(sys.executable, "-m", "cython", "-3", "-o", folder / "_fuzz_core.c", source)
    compiler = (os.environ.get("CC") or "cc").split()
    include = f"-I{sysconfig.get_paths()['include']}"
    run(*compiler, "-shared", "-fPIC", *variant.flags, include, folder / "_fuzz_core.c", "-o", target)
    return target


def run(*command: str | Path) -> None:
    """A command that must succeed, at the project's root."""
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT)


def load(name: str) -> ModuleType:
    """The module of that variant; a sanitized one needs what `environment` gives."""
    spec = importlib.util.spec_from_file_location("_fuzz_core", build(name))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def environment(name: str) -> dict[str, str]:
    """What a process must be started with to load that variant; nothing for one without sanitizers."""
    if not VARIANTS[name].is_sanitized:
        return {}
    compiler = (os.environ.get("CC") or "cc").split()
    command = [*compiler, "-print-file-name=libasan.so"]
    library = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    if not Path(library).is_absolute():
        raise RuntimeError(f"{compiler[0]} has no libasan.so to preload")
    return {
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": f"detect_leaks=0:quarantine_size_mb=16:malloc_context_size=8:exitcode={DIED}",
        "UBSAN_OPTIONS": f"print_stacktrace=1:halt_on_error=1:exitcode={DIED}",
        "PYTHONMALLOC": "malloc",
    }
