"""The service files: what systemd says of them, and that they run commands that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastmux.tunnel.cli import main

PACKAGING = Path(__file__).parent.parent.parent / "packaging"
UNITS = sorted(PACKAGING.glob("*.service"))


def test_there_is_a_unit_for_each_end() -> None:
    assert [unit.name for unit in UNITS] == ["fastmux-tunnel@.service", "fastmux.service"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_no_fault_with_a_unit(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_command_with_options_that_it_has(unit: Path) -> None:
    started = re.search(
        r"^ExecStart=/usr/bin/env fastmux (\w+)((?: --?\w+)*)", unit.read_text(), re.MULTILINE
    )
    assert started is not None
    shown = CliRunner().invoke(main, [started[1], "--help"])
    assert shown.exit_code == 0
    for option in started[2].split():
        assert option in shown.output


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_hardened_as_far_as_openssl_lets_it(unit: Path) -> None:
    """MemoryDenyWriteExecute would stop every handshake: libffi makes pyOpenSSL's callbacks at run time."""
    lines = unit.read_text().splitlines()
    for setting in (
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "UMask=0077",
        "Type=notify",
    ):
        assert setting in lines
    assert not any(line.startswith("MemoryDenyWriteExecute=yes") for line in lines)


def test_the_page_of_the_tunnel_says_which_type_the_units_are() -> None:
    page = (PACKAGING.parent / "docs" / "tunnel.md").read_text()
    types = {line for unit in UNITS for line in unit.read_text().splitlines() if line.startswith("Type=")}
    assert [f"units for systemd (`{each}`" in page for each in types] == [True]


def test_the_extra_has_no_h11_that_takes_other_bytes_for_the_end_of_a_chunk() -> None:
    """CVE-2025-43859: before 0.16 what follows a chunk was not looked at, and could be another request."""
    project = tomllib.loads((PACKAGING.parent / "pyproject.toml").read_text())
    assert "h11>=0.16" in project["project"]["optional-dependencies"]["tunnel"]


def test_the_container_starts_the_command_as_a_user_of_its_own() -> None:
    lines = (PACKAGING / "Containerfile").read_text().splitlines()
    assert "USER fastmux" in lines
    assert 'ENTRYPOINT ["/opt/fastmux/bin/fastmux"]' in lines
