"""The command line: versions, help that teaches, refusals that say what to do."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

from click.testing import CliRunner

from fastmux import core
from fastmux._version import __version__
from fastmux.tunnel import commands
from fastmux.tunnel.cli import COMMANDS, main


def test_version_names_the_version_and_the_core() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert __version__ in result.output
    assert ("compiled core" if core.IMPLEMENTATION == "cython" else "pure-Python core") in result.output


def test_help_shows_examples() -> None:
    result = CliRunner().invoke(main, ["demo", "--help"])
    assert result.exit_code == 0
    assert "fastmux demo --core python" in result.output


def test_a_loss_over_what_a_link_survives_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["demo", "--loss", "90"])
    assert result.exit_code == 2
    assert "90" in result.output


def test_the_package_is_also_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fastmux", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert __version__ in done.stdout


def test_the_command_line_loads_neither_openssl_nor_asyncio() -> None:
    code = "import sys, fastmux.tunnel.cli; print('asyncio' in sys.modules, 'OpenSSL' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_every_command_of_the_list_is_there_and_no_other() -> None:
    modules = {module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__)}
    assert modules == set(COMMANDS)
    for name in COMMANDS:
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0, name
        assert "Usage:" in result.output


def test_help_lists_the_commands_without_loading_any() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from fastmux.tunnel.cli import main\n"
        "print(CliRunner().invoke(main, ['--help']).output)\n"
        "print([name for name in sys.modules if 'tunnel.commands.' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    for text in ("fastmux demo", "Exit codes: 0 done", *COMMANDS):
        assert text in done.stdout


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["dance"]).exit_code == 2
