"""The programs of the tutorial and how-tos run as they stand, but for the port, and print what is said."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from documentation.pages import DOCS, PROGRAMS, ROOT, pages, printed
from fastmux.security.certificates import make_credentials

PAGES = {
    "echo": "tutorial.md",
    "trio": "howto/trio.md",
    "anyio": "howto/trio.md",
}
NEEDED = {"trio": ("trio",), "anyio": ("anyio", "trio")}


def write(name: str, program: str, folder: Path, port: int) -> Path:
    """A program of a page with another port, in a folder of its own."""
    text = (PROGRAMS / name / program).read_text("utf-8")
    assert text.count("4433") == 1
    path = folder / program
    path.write_text(text.replace("4433", str(port)), "utf-8")
    return path


def line_of(stream: IO[str] | None) -> str:
    """The next line that a program prints."""
    assert stream is not None
    return stream.readline().rstrip("\n")


@contextmanager
def running(path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program that runs beside the test, ended afterwards."""
    with subprocess.Popen(
        [sys.executable, path.name, *arguments],
        cwd=path.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def serving(name: str, folder: Path) -> Iterator[int]:
    """The server of a page; gives the port that it says it listens on."""
    make_credentials(folder / "keys", days=1)
    with running(write(name, "server.py", folder, 0)) as server:
        line = line_of(server.stdout)
        assert line.startswith("listening on UDP port "), server.stderr and server.stderr.read()
        yield int(line.split()[-1])


def run(path: Path, *, may_warn: bool = False) -> str:
    """What a program prints that ends by itself, without an error; Dask warns where a machine is slow."""
    done = subprocess.run(
        [sys.executable, path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert may_warn or done.stderr == ""
    return done.stdout


def pattern_of(text: str) -> str:
    """What a page shows, as a pattern: an ellipsis is what differs from run to run."""
    return re.escape(text).replace("…", r"\S+")


@pytest.mark.parametrize("name", PAGES)
def test_a_pages_programs_run_and_print_what_it_says(name: str, tmp_path: Path) -> None:
    for module in NEEDED.get(name, ()):
        pytest.importorskip(module)
    with serving(name, tmp_path) as port:
        shown = run(write(name, "client.py", tmp_path, port))
    expected = printed(DOCS / PAGES[name], "anyio client.py" if name == "anyio" else "client.py")
    assert re.fullmatch(pattern_of(expected), shown)


@pytest.mark.slow
def test_a_cluster_of_dask_goes_over_fastmux_as_its_page_says(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    for program in ("certificates.py", "cluster.py"):
        (tmp_path / program).write_text((PROGRAMS / "dask" / program).read_text("utf-8"), "utf-8")
    assert run(tmp_path / "certificates.py") == ""
    assert run(tmp_path / "cluster.py", may_warn=True) == printed(DOCS / "howto/dask.md", "cluster.py")


def test_every_example_is_on_a_page() -> None:
    text = "".join(page.read_text("utf-8") for page in pages())
    examples = {path.name for path in (ROOT / "examples").glob("*.py")} - {"__init__.py", "throwaway.py"}
    assert {name for name in examples if f"examples/{name}" not in text} == set()


def test_every_program_of_the_pages_is_run_here() -> None:
    assert {path.name for path in PROGRAMS.iterdir() if path.is_dir()} == {*PAGES, "dask"}
