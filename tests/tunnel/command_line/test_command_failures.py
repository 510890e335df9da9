"""How a command that works on files ends when it cannot."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from fastmux.tunnel.command_line.command_failures import ConfigurationFailure, configuration_failures


def run(error: BaseException) -> tuple[int, str, str]:
    @click.command()
    def command() -> None:
        with configuration_failures():
            raise error

    result = CliRunner().invoke(command)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_an_error_outside_is_one_sentence_and_exit_code_3() -> None:
    assert run(ValueError("no such thing")) == (3, "", "fastmux: no such thing\n")
    assert run(FileNotFoundError(2, "No such file", "a.pem")) == (3, "", "fastmux: a.pem: No such file\n")
    assert run(PermissionError("too open")) == (3, "", "fastmux: too open\n")


def test_several_faults_are_several_lines_and_nothing_escapes_to_the_terminal() -> None:
    assert run(ValueError("a\nb\x1b[2J"))[2] == "fastmux: a\nfastmux: b?[2J\n"


def test_a_bug_stays_one() -> None:
    with pytest.raises(ZeroDivisionError):
        run(ZeroDivisionError())


def test_the_failure_can_be_raised_itself() -> None:
    assert run(ConfigurationFailure("x"))[0] == 3
