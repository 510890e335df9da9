"""The tunnel with real programs (ssh, curl, dig, iperf3, rsync, git, Chromium), and fastmux on real networks.

They take minutes and the machine to themselves, so `make test` leaves them out; `make programs` runs them,
and so does `make check`. A program that is missing skips its tests and says which package has it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastmux._switches import is_on
from fastmux.security.certificates import make_credentials
from programs.gateway import Gateway
from programs.openssh import Sshd
from programs.processes import Programs

collect_ignore_glob = [] if is_on(os.environ.get("FASTMUX_TEST_PROGRAMS")) else ["test_*.py"]


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a CA, a server's and a client's certificate."""
    directory = tmp_path_factory.mktemp("credentials") / "credentials"
    make_credentials(directory, days=1)
    return directory


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Programs that end with the test."""
    with Programs(tmp_path) as running:
        yield running


@pytest.fixture
def gateway(programs: Programs, credentials: Path) -> Gateway:
    """`fastmux serve` and its tunnels, not started yet."""
    return Gateway(programs, credentials)


@pytest.fixture
def sshd(programs: Programs, tmp_path: Path) -> Sshd:
    """An OpenSSH server of our own on loopback."""
    return Sshd.start(programs, tmp_path)


@pytest.fixture(scope="session")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """256 MiB that do not compress."""
    path = tmp_path_factory.mktemp("big") / "big.bin"
    with path.open("wb") as file:
        for _ in range(256):
            file.write(os.urandom(2**20))
    return path


