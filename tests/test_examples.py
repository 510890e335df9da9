"""Every example runs as its docstring says, on the core that the suite runs on, and says what it should."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from aio.pair import pair
from aio.virtual_loop import virtual
from examples.file_transfer import receive_file
from fastmux.exceptions import ChannelReset

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples"
HELPERS = {"throwaway"}
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in HELPERS)
SAYS = {
    "callbacks_or_tasks": [
        "by callbacks: ['FIRST', 'SECOND', 'THIRD']",
        "by a task: ['FIRST', 'SECOND', 'THIRD']",
    ],
    "chat": ["Lena heard\n  * Lena came", "Omar: hello", "Omar: anybody here?\nOmar heard\n  * Omar came"],
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


@virtual
async def test_a_file_that_is_cut_short_leaves_nothing(tmp_path: Path) -> None:
    """Guards against half a file under the name of the whole."""
    async with pair() as ends:
        mine, theirs = await ends.stream("report.txt")
        receiving = asyncio.create_task(receive_file(theirs, tmp_path))
        await mine.send(b"the first half")
        await asyncio.sleep(1)
        assert not (tmp_path / "report.txt").exists()
        mine.reset()
        with pytest.raises(ChannelReset):
            await receiving
        theirs.reset()
        assert list(tmp_path.iterdir()) == []


@virtual
async def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream("../report.txt")
        receiving = asyncio.create_task(receive_file(theirs, tmp_path))
        await mine.send(b"all of it")
        await mine.send_eof()
        await receiving
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
            ("report.txt", b"all of it")
        ]
        await mine.aclose()
        await theirs.aclose()
