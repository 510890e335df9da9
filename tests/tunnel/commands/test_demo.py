"""`fastmux demo`: its options become those of the demo."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from fastmux.tunnel.commands.demo import command
from fastmux.tunnel.demo import run


@pytest.mark.parametrize("code", [0, 1])
def test_options_are_handed_on_and_the_verdict_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    given: list[run.DemoOptions] = []

    async def run_demo(options: run.DemoOptions) -> int:
        given.append(options)
        return code

    monkeypatch.setattr(run, "run_demo", run_demo)
    arguments = ["--core", "python", "--size", "3", "--loss", "10", "--plaintext", "--seed", "9"]
    assert CliRunner().invoke(command, arguments).exit_code == code
    assert given == [run.DemoOptions(core="python", size=3, loss=0.1, plaintext=True, seed=9)]


@pytest.mark.parametrize("arguments", [["--core", "rust"], ["--size", "0"], ["--loss", "41"]])
def test_what_cannot_be_is_a_usage_error(arguments: list[str]) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 2
