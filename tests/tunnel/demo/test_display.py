"""The demo's table in plain text, where no terminal is."""

from __future__ import annotations

from typing import Any

import pytest

from fastmux.tunnel.demo.display import Display
from fastmux.tunnel.demo.workload import MIB, Workload

REPORT: dict[str, Any] = {
    "jobs": [
        {
            "job": "file",
            "kind": "stream",
            "size": 64_000_000,
            "seconds": 0.5,
            "verified": True,
            "note": "alone",
        }
    ],
    "pings": [{"job": "ping, alone", "count": 300, "p50": 0.0002, "p99": 0.0005}],
    "smoothed_rtt": 0.0004,
    "datagram_size": 1452,
    "retransmitted": 2_500_000,
    "packets_lost": 17,
    "core": "cython",
    "socket_path": "GSO+GRO",
    "rss": 50 * MIB,
    "remote": {"identity": "client", "core": "python", "socket_path": "GSO+GRO", "rss": 40 * MIB},
}


def test_a_leg_shows_throughput_pings_cores_and_identity(capsys: pytest.CaptureFixture[str]) -> None:
    Display().leg("clean", REPORT, [], None)
    shown = capsys.readouterr().out
    for part in ("128.0", "equal", "0.200", "core cython", "core python", "RSS 50 MiB", "as client"):
        assert part in shown


def test_faults_are_shown_and_the_all_clear_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    Display().leg("hostile", REPORT, ["file (stream): the hash differs"], 0.02)
    shown = capsys.readouterr().out
    assert "WRONG: file (stream): the hash differs" in shown
    assert "every hash equal" not in shown


def test_a_smaller_file_is_said_to_be_smaller(capsys: pytest.CaptureFixture[str]) -> None:
    Display().start("fastmux", Workload(file_size=8 * MIB), 0.02)
    assert "64 MiB is the default" in capsys.readouterr().out


def test_without_a_terminal_progress_is_a_line_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    for done in range(0, 101):
        display.progress({"file": [done, 100]})
    assert len(capsys.readouterr().err.splitlines()) == 11
