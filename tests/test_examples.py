"""Every example runs as its docstring says, on the core that the suite runs on, and says what it should."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples"
HELPERS = {"throwaway"}
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in HELPERS)
SAYS = {
    "callbacks_or_tasks": [
        "by callbacks: ['FIRST', 'SECOND', 'THIRD']",
        "by a task: ['FIRST', 'SECOND', 'THIRD']",
    ],
    "chat": ["* Lena came", "Omar: hello", "Omar: anybody here?"],
    "control_beside_bulk": ["4194304 bytes uploaded", "ms"],
    "file_transfer": ["sample.bin: 2097152 bytes, sha256 "],
    "game_state": ["all 5 events: shot at tick 0, shot at tick 10"],
    "numpy_stream": ["(3000, 1000) float64: 24000000 bytes there, 24000 back"],
    "pickle_out_of_band": ["bytes in one pickle"],
    "rpc_messages": ["100 calls: 9900", "then it rested", "KeyError: 'halve'"],
    "rpc_streams": [
        "100 sums while another call sleeps: 198",
        "then it rested",
        "divide failed: channel reset by the peer (code 0x1000)",
        "sleep failed: channel reset by the peer (code 0x1001)",
        "the connection goes on: 3",
    ],
}


def run(name: str, *arguments: str) -> str:
    """Run an example in a process of its own, with warnings as errors; what it printed."""
    command = [sys.executable, "-W", "error", "-m", f"examples.{name}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run_here() -> None:
    assert SAYS.keys() == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_says_what_it_should(name: str) -> None:
    said = run(name)
    for words in SAYS[name]:
        assert words in said


@pytest.mark.parametrize("name", NAMES)
def test_its_docstring_says_how_to_run_it_and_teaches(name: str) -> None:
    text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text("utf-8")))
    assert text is not None
    assert f"python -m examples.{name}" in text
    assert len(text.split()) > 60


def test_a_file_of_ones_own_is_transferred(tmp_path: Path) -> None:
    path = tmp_path / "my file.txt"
    path.write_bytes(b"")
    assert "my file.txt: 0 bytes" in run("file_transfer", str(path))
