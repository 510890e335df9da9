"""The choice of a core, each case in an interpreter of its own: it is made once a process."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import fastmux._switches as switches
import fastmux.core

ABSENT = "import sys; sys.modules['fastmux._core'] = None"
# A stand-in for the extension: it has every name, so nothing has to be compiled to test the choice.
PRESENT = """
import sys, types, fastmux._core_py as pure
compiled = types.ModuleType('fastmux._core')
vars(compiled).update({k: v for k, v in vars(pure).items() if not k.startswith('__')})
compiled.IMPLEMENTATION = 'cython'
sys.modules['fastmux._core'] = compiled
"""
STALE = PRESENT + "del compiled.DataPath"
LOGGED = """
import logging
logging.basicConfig(level=logging.INFO, format='%(levelname)s %(name)s %(message)s')
"""
REPORT = "import fastmux.core as core; print(core.IMPLEMENTATION, core.describe())"


def run(*lines: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the lines in a fresh interpreter with no switch on but those given."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("FASTMUX_")}
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_compiled_core_is_chosen_when_it_is_there() -> None:
    result = run(PRESENT, LOGGED, REPORT)
    assert result.stdout.startswith("cython fastmux 0."), result.stderr
    assert result.stdout.rstrip().endswith("compiled core")
    assert result.stderr == ""


def test_no_extensions_chooses_the_pure_core_without_a_log() -> None:
    result = run(PRESENT, LOGGED, REPORT, FASTMUX_NO_EXTENSIONS="1")
    assert result.stdout.startswith("python "), result.stderr
    assert "FASTMUX_NO_EXTENSIONS is set" in result.stdout
    assert result.stderr == ""


def test_no_extensions_wins_over_require_extensions() -> None:
    result = run(PRESENT, REPORT, FASTMUX_NO_EXTENSIONS="1", FASTMUX_REQUIRE_EXTENSIONS="1")
    assert result.stdout.startswith("python "), result.stderr


@pytest.mark.parametrize("off", ["", "0"])
def test_an_empty_or_zero_switch_is_off(off: str) -> None:
    result = run(PRESENT, REPORT, FASTMUX_NO_EXTENSIONS=off)
    assert result.stdout.startswith("cython "), result.stderr
    result = run(ABSENT, REPORT, FASTMUX_REQUIRE_EXTENSIONS=off)
    assert result.stdout.startswith("python "), result.stderr


@pytest.mark.parametrize("on", ["1", "yes", "false", "00"])
def test_any_other_value_of_a_switch_is_on(on: str) -> None:
    assert switches.is_on(on)
    assert not switches.is_on(None)


def test_a_missing_extension_falls_back_with_one_info_log_that_names_the_remedy() -> None:
    result = run(ABSENT, LOGGED, "import fastmux", "print('imported', flush=True)", REPORT, REPORT)
    assert result.stdout.splitlines()[1].startswith("python "), result.stderr
    assert switches.REMEDY in result.stdout
    logged = result.stderr.splitlines()
    assert len(logged) == 1
    assert logged[0].startswith("INFO fastmux ")
    assert switches.REMEDY in logged[0]


def test_importing_fastmux_alone_chooses_no_core_and_logs_nothing() -> None:
    result = run(ABSENT, LOGGED, "import fastmux", "print('fastmux.core' in sys.modules)")
    assert result.stdout == "False\n", result.stderr
    assert result.stderr == ""


def test_a_missing_extension_is_an_error_where_extensions_are_required() -> None:
    result = run(ABSENT, REPORT, FASTMUX_REQUIRE_EXTENSIONS="1")
    assert result.returncode == 1
    assert "ImportError: FASTMUX_REQUIRE_EXTENSIONS is set" in result.stderr
    assert switches.REMEDY in result.stderr


def test_an_extension_of_another_version_is_not_used() -> None:
    result = run(STALE, REPORT)
    assert result.stdout.startswith("python "), result.stderr
    assert "it has no DataPath" in result.stdout
    assert run(STALE, REPORT, FASTMUX_REQUIRE_EXTENSIONS="1").returncode == 1


def test_every_public_name_of_the_contract_is_re_exported() -> None:
    stub = Path(fastmux.core.__file__).with_name("_core.pyi").read_text("utf-8")
    names = set()
    for node in ast.parse(stub).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    assert {name for name in names if not name.startswith("_")} == set(fastmux.core.CORE_NAMES)
    assert all(hasattr(fastmux.core, name) for name in fastmux.core.__all__)


def test_a_plain_socket_gets_the_calls_of_the_core() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        assert type(fastmux.core.make_datagram_io(sock)) is fastmux.core.DatagramIO


def test_a_socket_whose_methods_may_be_overridden_gets_calls_that_use_them() -> None:
    from fastmux._core_py.datagram_io import DatagramIO

    class Own(socket.socket):
        pass

    with Own(type=socket.SOCK_DGRAM) as sock:
        assert isinstance(fastmux.core.make_datagram_io(sock), DatagramIO)


def test_a_system_without_compiled_socket_calls_gets_those_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastmux._core_py.datagram_io import DatagramIO

    def absent(sock: socket.socket) -> None:
        raise NotImplementedError

    monkeypatch.setattr(fastmux.core, "DatagramIO", absent)
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        assert isinstance(fastmux.core.make_datagram_io(sock), DatagramIO)
