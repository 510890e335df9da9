"""Instructions a packet in the compiled core, counted by callgrind and held against committed figures.

    python -m tools.instructions            fails if a figure is more than 2 % above the committed one
    python -m tools.instructions --update   measures and commits to tools/instructions.json

Owns: what is counted, the key of a figure, the verdict. May not know: how the load is made
(`tools.instructions_load`).

A figure is (long run - short run) / (difference in packets), so what a run costs once is not in it. *Sending*
is `write` and `fill`, *receiving* is `receive` and `read_into`; the one ACK of a train of 44 counts where it
is built and taken. Without a cipher everything counts, libc's and the interpreter's share too; with
AES-128-GCM only what the extension itself executes, for the rest is OpenSSL's and changes with its release.
The same binary on the same libc gives the same figures, but for some tenths by the secret of the hash tables;
the key of a figure names all that can move it, and where nothing is committed under it, figures are only
reported.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.instructions_load import LENGTHS, SUITES

FIGURES = Path(__file__).with_suffix(".json")
ROOT = Path(__file__).parent.parent
LIMIT = 0.02
TIMEOUT = 150.0
# What is counted of each side, from entry to end; MARK ends a phase of the load.
COUNTED = {
    "sending": ("DataPath.write", "DataPath.fill"),
    "receiving": ("DataPath.receive", "DataPath.read_into"),
}
MARK = "live"
EXTENSION = re.compile(r"/_core\.[^/]*$")
OBJECTS = {"null": re.compile(""), "aes-128-gcm": EXTENSION}  # by suite: whose instructions count
CPU_FLAGS = ("avx2", "pclmulqdq")  # by which libc and the CRC choose their code

Figures = dict[str, float]  # by "suite side"


class CountingFailed(Exception):
    """Valgrind did not give what it was asked for; the text says what it said."""


def key_of(extension: bytes, surroundings: str) -> str:
    """Which figures an extension's are comparable with: its compiler and Cython are in the file itself."""
    gcc = re.search(rb"GCC: \([^)]*\) ([\d.]+)", extension)
    clang = re.search(rb"clang version ([\d.]+)", extension)
    cython = re.search(rb"_cython_(\d+(?:_\d+)+)", extension)
    name, found = ("clang", clang) if clang else ("gcc", gcc)
    compiler = found.group(1).decode() if found else "unknown"
    release = cython.group(1).decode().replace("_", ".") if cython else "unknown"
    return f"{name} {compiler} / Cython {release} / {surroundings}"


def surroundings() -> str:
    """The interpreter, libc and the kind of processor."""
    cpuinfo = Path("/proc/cpuinfo")
    words = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
    machine = " ".join([platform.machine(), *(flag for flag in CPU_FLAGS if flag in words)])
    return f"CPython {platform.python_version()} / {' '.join(platform.libc_ver())} / {machine}"


def symbol_of(extension: bytes, name: str) -> str:
    """The C function behind a function or method of the core. Raises `CountingFailed` if there is none.

    Callgrind's patterns with `*` shadow each other, so the name must be whole: Cython numbers its wrappers.
    """
    owner, _, function = name.rpartition(".")
    scope = f"{len(owner)}{owner}_" if owner else ""
    found = re.search(rf"__pyx_pw_7fastmux_5_core_{scope}\d+{function}(?=\0)".encode(), extension)
    if found is None:
        raise CountingFailed(f"the extension has no symbol for {name} (was it stripped?)")
    return found.group().decode()


def count_instructions(profile: str, objects: re.Pattern[str]) -> int:
    """Instructions in a callgrind profile that were executed in objects of these names."""
    total = 0
    is_counted = after_calls = False
    for line in profile.splitlines():
        if line.startswith("ob="):
            is_counted = objects.search(line) is not None
        elif line.startswith("calls="):
            after_calls = True  # the next line is what the called one spent, which stands at its own place
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if is_counted and not after_calls:
                total += int(line.split()[-1])
            after_calls = False
    return total


def side_figures(side: str, totals: list[int], packets: Mapping[str, list[int]]) -> Figures:
    """Instructions a packet, from the totals of all phases in their order."""
    figures: Figures = {}
    for place, suite in enumerate(packets):
        short, long = totals[place * len(LENGTHS) + 1 : (place + 1) * len(LENGTHS)]
        few, many = packets[suite][1:]
        figures[f"{suite} {side}"] = round((long - short) / (many - few), 1)
    return figures


def count_side(valgrind: str, extension: bytes, side: str) -> Figures:
    """Run the load once under callgrind, counting one side. Raises `CountingFailed`."""
    with tempfile.TemporaryDirectory(prefix="fastmux-callgrind-") as folder:
        command = [
            valgrind,
            "--tool=callgrind",
            f"--callgrind-out-file={folder}/out",
            "--compress-strings=no",
            f"--dump-before={symbol_of(extension, MARK)}",
            *(f"--toggle-collect={symbol_of(extension, name)}" for name in COUNTED[side]),
            *(sys.executable, "-m", "tools.instructions_load"),
        ]
        # Nothing of the caller's environment: its size, and a malloc that is tuned, move figures.
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
            "PYTHONHASHSEED": "0",
            "FASTMUX_REQUIRE_EXTENSIONS": "1",
        }
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
        if done.returncode:
            raise CountingFailed(f"{side}: exit status {done.returncode}\n{done.stderr}")
        packets = json.loads(done.stdout.splitlines()[-1])
        phases = [OBJECTS[suite] for suite in SUITES for _ in LENGTHS]
        parts = [Path(folder, f"out.{number}") for number in range(1, len(phases) + 1)]
        missing = [part.name for part in parts if not part.exists()]
        if missing:
            raise CountingFailed(f"{side}: callgrind did not write {missing}\n{done.stderr}")
        totals = [count_instructions(part.read_text(), phases[place]) for place, part in enumerate(parts)]
    if 0 in totals:
        raise CountingFailed(f"{side}: a phase without any instruction: {totals}\n{done.stderr}")
    return side_figures(side, totals, packets)


def compare(measured: Figures, committed: Figures, limit: float = LIMIT) -> tuple[list[str], bool]:
    """A line for each figure, and whether one is more than `limit` above what is committed."""
    lines, is_worse = [], False
    for name, value in measured.items():
        before = committed.get(name)
        if before is None:
            lines.append(f"{name:<24}{value:>9.1f}   nothing committed to compare with")
            continue
        change = value / before - 1
        verdict = "TOO MANY" if change > limit else "better" if change < -limit else "ok"
        is_worse = is_worse or change > limit
        lines.append(f"{name:<24}{value:>9.1f}   committed {before:.1f}, {change:+.1%}   {verdict}")
    return lines, is_worse


def report(key: str, measured: Figures, committed: Mapping[str, Figures]) -> int:
    """Print the figures; the exit status."""
    print(f"instructions a packet, {key}")
    lines, is_worse = compare(measured, committed.get(key, {}))
    print("\n".join(lines))
    if key not in committed:
        print(f"only reported: committed are {', '.join(committed) or 'none'}")
    if is_worse or any(line.endswith("better") for line in lines):
        print("if that is meant: python -m tools.instructions --update")
    return 1 if is_worse else 0


def extension_bytes() -> bytes:
    """The compiled core as a file. Raises `CountingFailed` if there is none."""
    spec = importlib.util.find_spec("fastmux._core")
    if spec is None or spec.origin is None:
        raise CountingFailed("the compiled core is not built")
    return Path(spec.origin).read_bytes()


def measure(sides: Iterable[str] = COUNTED) -> tuple[str, Figures]:
    """The key of this build and its figures. Raises `CountingFailed`."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise CountingFailed("valgrind is not installed")
    extension = extension_bytes()
    figures: Figures = {}
    for side in sides:
        figures |= count_side(valgrind, extension, side)
    return key_of(extension, surroundings()), figures


def main(arguments: list[str]) -> int:
    """Measure, then compare or update."""
    parser = argparse.ArgumentParser(prog="python -m tools.instructions")
    parser.add_argument("--update", action="store_true", help="commit the figures of this build")
    options = parser.parse_args(arguments)
    committed: dict[str, Figures] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    try:
        key, measured = measure()
    except CountingFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    status = report(key, measured, committed)
    if options.update:
        FIGURES.write_text(json.dumps({**committed, key: measured}, indent=1, sort_keys=True) + "\n")
        print(f"written to {FIGURES.relative_to(ROOT)}")
        return 0
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
