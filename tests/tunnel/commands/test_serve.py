"""`fastmux serve`: what it refuses before it serves; `e2e/test_tunnel_commands.py` has the rest."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastmux.tunnel.cli import main


def serve(keys: Path, *arguments: str) -> Result:
    files = [
        "--cert",
        str(keys / "server.pem"),
        "--key",
        str(keys / "server.key"),
        "--ca",
        str(keys / "ca.pem"),
    ]
    return CliRunner().invoke(main, ["serve", *files, "-l", "127.0.0.1:0", "--control", "none", *arguments])


def test_help_shows_rules_and_examples() -> None:
    result = CliRunner().invoke(main, ["serve", "--help"])
    assert result.exit_code == 0
    for text in (
        "laptop=10.0.0.0/8:22",
        "listen:127.0.0.1:2200-2299",
        "--allow 'client=127.0.0.1:22'",
        "SIGHUP",
    ):
        assert text in result.output


def test_it_refuses_to_start_without_a_rule(keys: Path) -> None:
    """H45."""
    result = serve(keys)
    assert result.exit_code == 3
    assert "give --allow RULE" in result.stderr


def test_it_refuses_to_start_without_certificates(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["serve", "--allow", "*:1", "--control", "none"], env={"XDG_CONFIG_HOME": str(tmp_path)}
    )
    assert result.exit_code == 3
    assert "fastmux init" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--allow", "nonsense"], "--allow: rule 'nonsense'"),
        (["--allow", "*:1", "-l", "x:y:z"], "-l: "),
        (["--allow", "*:1", "--config", "/gone.toml"], "no configuration file"),
    ],
)
def test_what_it_cannot_use_is_a_configuration_error(keys: Path, arguments: list[str], text: str) -> None:
    result = serve(keys, *arguments)
    assert result.exit_code == 3
    assert text in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--workers", "0"], ["--limit", "fast"], ["--drain-timeout", "soon"], ["--log-format", "xml"]],
)
def test_what_cannot_be_is_a_usage_error(keys: Path, arguments: list[str]) -> None:
    assert serve(keys, *arguments).exit_code == 2


def test_an_address_that_is_taken_is_named(keys: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        result = serve(keys, "--allow", "*:1", "-l", place)
    assert result.exit_code == 3
    assert "cannot listen" in result.stderr
