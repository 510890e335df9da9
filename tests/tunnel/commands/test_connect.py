"""`fastmux connect`: refusals, and what it loads; `e2e/test_tunnel_commands.py` has the rest."""

from __future__ import annotations

import select
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastmux.tunnel.cli import main

# None of these is needed to carry bytes; together they would take a third of the time that it has.
TOO_HEAVY = {
    "fastmux.tunnel.settings.configuration",
    "fastmux.tunnel.access.access",
    "h11",
    "importlib.metadata",
    "msgspec",
    "rich",
    "tomllib",
}


def connect(keys: Path, *arguments: str) -> Result:
    files = [
        "--cert",
        str(keys / "client.pem"),
        "--key",
        str(keys / "client.key"),
        "--ca",
        str(keys / "ca.pem"),
    ]
    return CliRunner().invoke(main, ["connect", *files, *arguments])


def test_help_shows_the_proxy_command() -> None:
    result = CliRunner().invoke(main, ["connect", "--help"])
    assert result.exit_code == 0
    assert "ssh -o ProxyCommand='fastmux connect gw.example %h:%p" in result.output


@pytest.mark.parametrize("target", ["host", "host:22/udp", "host:99999"])
def test_what_is_no_target_is_a_configuration_error(keys: Path, target: str) -> None:
    result = connect(keys, "gw", target)
    assert result.exit_code == 3
    assert result.stdout == ""


def test_a_missing_certificate_says_how_to_make_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["connect", "gw", "host:22"], env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert result.exit_code == 3
    assert "fastmux init" in result.stderr


def test_a_system_without_poll_is_told_what_to_use_instead(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(select, "poll")
    result = connect(keys, "gw", "host:22")
    assert result.exit_code == 3
    assert "fastmux tunnel -L" in result.stderr


def test_it_loads_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys, fastmux.tunnel.commands.connect\n"
        "import fastmux.tunnel.client.stdio, fastmux.tunnel.client.standard_io\n"
        "import fastmux.tunnel.command_line.signals, fastmux.tunnel.notation.targets\n"
        "import fastmux.security.handshake\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert set(done.stdout.split()) & TOO_HEAVY == set()


@pytest.mark.parametrize(("closed", "name"), [("<&-", "input"), (">&-", "output")])
def test_standard_input_or_output_that_is_closed_is_named(keys: Path, closed: str, name: str) -> None:
    """Its number is then another file's, with an error that leads nowhere."""
    files = f"--cert {keys}/client.pem --key {keys}/client.key --ca {keys}/ca.pem"
    line = f"exec {sys.executable} -m fastmux connect 127.0.0.1:9 a:1 {files} {closed}"
    done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert f"standard {name} is closed" in done.stderr
