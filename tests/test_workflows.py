"""The workflows: valid by GitHub's schema, harmless by zizmor's rules, pinned, bounded, and complete."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
TESTED = ("3.11", "3.12", "3.13", "3.14", "3.14t", "3.15", "pypy-3.11")

pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="the source archive has no workflows")


def test_there_is_a_workflow_for_tests_wheels_and_documentation() -> None:
    assert [path.stem for path in WORKFLOWS] == ["docs", "tests", "wheels"]


@pytest.mark.parametrize(
    "command",
    [("check-jsonschema", "--builtin-schema", "vendor.github-workflows"), ("zizmor", "--offline", "-q")],
    ids=lambda command: command[0],
)
def test_a_linter_finds_no_fault(command: tuple[str, ...]) -> None:
    program = Path(sys.executable).with_name(command[0])
    if not program.exists():
        pytest.skip(f"{command[0]} is not installed (extra `dev`)")
    done = subprocess.run(
        [program, *command[1:], *WORKFLOWS], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_an_action_is_pinned_to_a_commit_and_a_job_is_bounded(path: Path) -> None:
    text = path.read_text("utf-8")
    for used in re.findall(r"uses: (\S+.*)", text):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used)
    jobs = text.partition("\njobs:\n")[2]
    assert len(re.findall(r"^  \w+:$", jobs, re.MULTILINE)) == jobs.count("timeout-minutes: ")


def test_every_python_is_tested_on_every_system() -> None:
    text = Path(ROOT, ".github/workflows/tests.yml").read_text("utf-8")
    assert [version for version in TESTED if f'"{version}"' not in text] == []
    assert all(system in text for system in ("ubuntu-latest", "macos-latest", "windows-latest"))


def test_a_wheel_is_built_for_every_cpython_that_is_tested() -> None:
    built = {name.removeprefix("cp").removesuffix("-*") for name in PROJECT["tool"]["cibuildwheel"]["build"]}
    assert built == {version.replace(".", "") for version in TESTED if version[0].isdigit()}


def test_releases_are_made_without_a_password_and_only_of_what_passed() -> None:
    text = Path(ROOT, ".github/workflows/wheels.yml").read_text("utf-8")
    release = text.partition("  release:\n")[2]
    assert "gh release create" in release
    assert "needs: [compiled, pure]" in release
    assert "--verify-tag" in release
    assert re.search(r"password|secrets\.", text) is None
