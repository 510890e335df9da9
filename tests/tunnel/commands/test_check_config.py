"""`fastmux check-config`: 0 for a file that can be used, 3 for one that cannot, and why."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastmux.security.certificates import make_credentials
from fastmux.tunnel.commands.check_config import command
from fastmux.tunnel.settings.configuration import parse_configuration

SERVER = """
[server]
listen = "4433"
[tls]
cert = "server.pem"
key = "server.key"
ca = "ca.pem"
"""
ALLOW = "[[allow]]\nidentity = 'laptop'\nrules = ['10.0.0.0/8:22']\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory as `fastmux init` makes it."""
    make_credentials(tmp_path / "d")
    return tmp_path / "d"


def run(directory: Path, text: str, *options: str) -> Result:
    path = directory / "f.toml"
    path.write_text(text)
    path.chmod(0o600)
    return CliRunner().invoke(command, [str(path), *options])


def test_a_file_that_can_be_used_is_told_in_short(directory: Path) -> None:
    result = run(directory, SERVER + ALLOW, "--strict")
    assert result.exit_code == 0 and result.stderr == ""
    assert result.stdout.splitlines() == [
        "listen   *:4433",
        "allow    laptop=10.0.0.0/8:22",
        f"{directory}/f.toml can be used",
    ]


def test_warnings_fail_only_where_that_is_asked_for(directory: Path) -> None:
    result = run(directory, SERVER)
    assert result.exit_code == 0 and result.stderr.startswith("warning: no [[allow]]")
    result = run(directory, SERVER, "--strict")
    assert result.exit_code == 3 and "can be used" not in result.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[server]\nworkres = 2", "server: the key 'workres' is unknown; is 'workers' meant?"),
        ("[server]\nlisten = '127.1:22'", "server.listen: '127.1' is neither"),
        (SERVER.replace("server.key", "client.key"), "is not the key of"),
        ("[", "f.toml: Invalid"),
    ],
)
def test_a_file_that_cannot_be_used_is_exit_code_3_with_the_place(
    directory: Path, text: str, message: str
) -> None:
    result = run(directory, text)
    assert result.exit_code == 3 and message in result.stderr
    assert result.stderr.startswith("fastmux: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path / "none.toml")])
    assert result.exit_code == 3 and "none.toml: No such file" in result.stderr


def test_the_examples_in_the_help_are_configurations_themselves() -> None:
    """Guards examples that nobody ran."""
    output = CliRunner().invoke(command, ["--help"], terminal_width=120).output
    lines = output[output.index("A server:") :].splitlines()[1:]
    lines = lines[: lines.index("")]
    middle = lines[0].index("[client]")
    for column in (slice(0, middle), slice(middle, None)):
        text = "\n".join(line[column].strip() for line in lines)
        assert re.search(r"\[(server|client)\]", text) and tomllib.loads(text)
        parse_configuration(text.encode(), Path("f"))
