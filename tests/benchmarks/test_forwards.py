"""A forwarded port carries a whole transfer, and its tunnel ends with the run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.forwards import FastmuxForward, SshForward, missing_programs
from bench.harness import Contender, measure
from bench.places import Loopback, Place

SIZE = 3_000_000
LIMIT = 40.0


def carry(place: Place) -> None:
    start = [sys.executable, "-m", "bench.tcp_plain"]
    shared = ["--seconds", "0.3", "--warmup", "0.02"]
    server = [*start, "server", *shared]
    client = [*start, "client", "--port", "{port}", *shared]
    sample = measure(Contender("TCP", server, client), place, LIMIT)
    assert sample.server["total_size"] == sample.client["total_size"] > SIZE


def test_plain_tcp_carries_everything() -> None:
    carry(Loopback())


@pytest.mark.skipif(bool(missing_programs()), reason="needs OpenSSH's client and server")
def test_ssh_forwards_everything(tmp_path: Path) -> None:
    carry(SshForward(tmp_path, "aes128-gcm@openssh.com"))


def test_fastmux_forwards_everything(certificates: Path) -> None:
    carry(FastmuxForward(certificates))
