"""`fastmux init` makes all that a first tunnel takes, and says what to do with it."""

from __future__ import annotations

import re
import shlex
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastmux.tunnel.certs import facts_of, read_certificates
from fastmux.tunnel.cli import main
from fastmux.tunnel.commands.init import command
from fastmux.tunnel.settings.credentials import default_directory


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_it_makes_six_private_files_and_shows_pins_and_the_next_commands(tmp_path: Path) -> None:
    place = tmp_path / "my keys"
    result = run("--dir", str(place))
    assert result.exit_code == 0
    assert sorted(path.name for path in place.iterdir()) == [
        *("ca.key", "ca.pem", "client.key", "client.pem", "server.key", "server.pem"),
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}
    for name in ("ca", "server", "client"):
        assert facts_of(read_certificates(place / f"{name}.pem")[0]).pin in result.output
    assert "fastmux serve" in result.output and "--allow 'client=127.0.0.1:22'" in result.output
    assert f"--key '{place}/client.key'" in result.output  # quoted for a shell
    assert {"localhost", "127.0.0.1", "::1"} <= set(
        facts_of(read_certificates(place / "server.pem")[0]).names
    )


def test_names_are_those_that_are_given(tmp_path: Path) -> None:
    assert (
        run("--dir", str(tmp_path), "--name", "gw.example", "--name", "192.0.2.7", "--days", "9").exit_code
        == 0
    )
    facts = facts_of(read_certificates(tmp_path / "server.pem")[0])
    assert facts.names == ("gw.example", "192.0.2.7")
    assert 9 <= (facts.ends - facts.begins).days <= 10


def test_nothing_is_replaced(tmp_path: Path) -> None:
    assert run("--dir", str(tmp_path)).exit_code == 0
    before = (tmp_path / "ca.key").read_bytes()
    result = run("--dir", str(tmp_path))
    assert result.exit_code == 3
    assert result.stderr.startswith(f"fastmux: {tmp_path}/ca.pem exists already: it is not replaced. ")
    assert (tmp_path / "ca.key").read_bytes() == before


def test_a_name_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    result = run("--dir", str(tmp_path / "d"), "--name", "a b")
    assert result.exit_code == 2 and "neither a host name" in result.stderr
    assert not (tmp_path / "d").exists()


def test_another_name_for_the_server_takes_the_command_that_the_refusal_shows(tmp_path: Path) -> None:
    """Neither `init` nor `cert renew` gives a server another name: whoever began without --name was stuck."""
    place = tmp_path / "my keys"
    assert run("--dir", str(place)).exit_code == 0
    result = run("--dir", str(place), "--name", "gw.example")
    shown = re.search(r"`fastmux (cert issue [^`]*)`", result.stderr)
    assert shown is not None
    words = shlex.split(shown[1].replace("NAME", "gw").replace("HOST", "gw.example"))
    assert CliRunner().invoke(main, words).exit_code == 0
    assert facts_of(read_certificates(place / "gw.pem")[0]).names == ("gw.example",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("http://gw.example", "give that alone, such as gw.example"),
        ("spiffe://corp.example/gw", "is a URI"),
        ("*.example", "give *.NAME.example"),
    ],
)
def test_a_name_that_no_client_would_accept_is_refused(tmp_path: Path, name: str, text: str) -> None:
    result = run("--dir", str(tmp_path / "d"), "--name", name)
    assert result.exit_code == 2 and text in result.stderr
    assert not (tmp_path / "d").exists()


def test_a_directory_that_others_can_write_in_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    result = run("--dir", str(tmp_path))
    assert result.exit_code == 3 and "others can write" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_a_directory_it_is_the_users_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value, place in (
        ("", tmp_path / ".config/fastmux"),
        ("relative", tmp_path / ".config/fastmux"),
        (str(tmp_path / "xdg"), tmp_path / "xdg/fastmux"),
    ):
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        assert default_directory() == place
    assert run().exit_code == 0
    assert (tmp_path / "xdg/fastmux/ca.key").is_file()


def test_help_has_examples() -> None:
    result = run("--help")
    assert result.exit_code == 0 and "fastmux init --name gw.example" in result.output
