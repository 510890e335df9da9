"""`fastmux ping`: limits of its options; `e2e/test_tunnel_commands.py` has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fastmux.tunnel.cli import main


@pytest.mark.parametrize("arguments", [["-s", "65"], ["-s", "7"], ["-i", "0.05"], ["-c", "0"]])
def test_what_the_far_end_would_not_answer_is_a_usage_error(arguments: list[str]) -> None:
    """H54: pings of more than 64 bytes, or more than ten a second, are dropped there."""
    assert CliRunner().invoke(main, ["ping", "gw", *arguments]).exit_code == 2


def test_a_missing_certificate_says_how_to_make_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["ping", "gw"], env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert result.exit_code == 3
    assert "fastmux init" in result.stderr
