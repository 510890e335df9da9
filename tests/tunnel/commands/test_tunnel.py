"""`fastmux tunnel`: what it refuses before it connects; `e2e/test_tunnel_commands.py` has the rest."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastmux.tunnel.cli import main


def tunnel(keys: Path, *arguments: str) -> Result:
    files = [
        "--cert",
        str(keys / "client.pem"),
        "--key",
        str(keys / "client.key"),
        "--ca",
        str(keys / "ca.pem"),
    ]
    return CliRunner().invoke(main, ["tunnel", *files, "--control", "none", *arguments])


def test_help_shows_the_forms_of_a_forward_and_examples() -> None:
    result = CliRunner().invoke(main, ["tunnel", "--help"])
    assert result.exit_code == 0
    for text in (
        "[BIND:]PORT:HOST:PORT[/udp]",
        "-L 2022:127.0.0.1:22",
        "-R 2201:127.0.0.1:22",
        "--http 8080",
    ):
        assert text in result.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "which server"),
        (["gw", "-L", "nonsense"], "-L: "),
        (["gw", "-R", "nonsense"], "-R: "),
        (["gw", "-D", "nonsense"], "-D: "),
        (["gw", "--http", "nonsense"], "--http: "),
        (["gw", "-D", "0", "--user", "ann"], "is not NAME:FILE"),
        (["gw", "--config", "/gone.toml"], "no configuration file"),
    ],
)
def test_what_it_cannot_use_is_a_configuration_error(keys: Path, arguments: list[str], text: str) -> None:
    result = tunnel(keys, *arguments)
    assert result.exit_code == 3
    assert text in result.stderr


def test_users_without_a_proxy_are_a_mistake(keys: Path, tmp_path: Path) -> None:
    """A password that is never asked for protects nothing (H46)."""
    path = tmp_path / "password"
    path.write_text("secret\n")
    path.chmod(0o600)
    result = tunnel(keys, "gw", "--user", f"ann:{path}")
    assert result.exit_code == 3
    assert "for the proxies" in result.stderr


@pytest.mark.parametrize("arguments", [["gw:0"], ["gw", "--limit", "0"], ["gw", "--retry-max", "x"]])
def test_what_cannot_be_is_a_usage_error(keys: Path, arguments: list[str]) -> None:
    assert tunnel(keys, *arguments).exit_code == 2


def test_a_port_that_is_taken_ends_a_strict_tunnel(keys: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = tunnel(keys, "127.0.0.1:9", "-L", f"{port}:a:1", "--exit-on-forward-failure")
    assert result.exit_code == 3
    assert f"-L 127.0.0.1:{port}" in result.stderr


_WITHOUT_H11 = """
import sys

class NoH11:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "h11":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoH11())
from fastmux.tunnel.cli import main
main()
"""


def test_an_http_proxy_without_its_extra_says_what_to_install(keys: Path) -> None:
    """It ended with a traceback: `exits` knew the error only as long as nobody made another kind of it."""
    files = [f"--cert={keys}/client.pem", f"--key={keys}/client.key", f"--ca={keys}/ca.pem"]
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_H11, "tunnel", "127.0.0.1:9", *files, "--control=none", "--http=0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr == "fastmux: h11 is not installed; run: pip install 'fastmux[tunnel]'\n"
