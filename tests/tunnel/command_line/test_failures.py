"""How a command ends when it cannot go on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import click
import pytest
from click.testing import CliRunner

from fastmux.exceptions import AuthenticationError
from fastmux.tunnel.command_line.failures import configuration_failures, reported
from fastmux.tunnel.exits import CommandError, ConfigurationError

Way = Callable[[], AbstractContextManager[None]]


def run(error: BaseException, way: Way) -> tuple[int, str, str]:
    """Exit code and both outputs of a command that raises."""

    @click.command()
    def command() -> None:
        with way():
            raise error

    result = CliRunner().invoke(command, [])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ConfigurationError("line one\nline two"), 3, "fastmux: line one\nfastmux: line two\n"),
        (AuthenticationError("no\x1b[31m"), 4, "fastmux: no\\x1b[31m\n"),
        (CommandError(255, "lost"), 255, "fastmux: lost\n"),
        (TimeoutError(), 5, "fastmux: no answer in time"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_outside_error_ends_a_command_with_a_sentence_and_its_code(
    error: BaseException, code: int, text: str
) -> None:
    found, out, said = run(error, reported)
    assert (found, out) == (code, "")
    assert said.startswith(text)
    assert "Traceback" not in said


@pytest.mark.parametrize("way", [reported, configuration_failures])
def test_an_error_of_the_program_is_not_hidden(way: Way) -> None:
    with pytest.raises(ZeroDivisionError):
        run(ZeroDivisionError(), way)


def test_what_is_wrong_with_a_file_is_one_sentence_and_exit_code_3() -> None:
    for error, text in (
        (ValueError("no such thing"), "fastmux: no such thing\n"),
        (FileNotFoundError(2, "No such file", "a.pem"), "fastmux: a.pem: No such file\n"),
        (PermissionError("too open"), "fastmux: too open\n"),
    ):
        assert run(error, configuration_failures) == (3, "", text)


def test_several_faults_are_several_lines_and_nothing_escapes_to_the_terminal() -> None:
    said = run(ValueError("a\nb\x1b[2J"), configuration_failures)[2]
    assert said == "fastmux: a\nfastmux: b\\x1b[2J\n"


def test_an_interrupt_of_a_command_on_files_is_one_too() -> None:
    assert run(KeyboardInterrupt(), configuration_failures) == (130, "", "")
