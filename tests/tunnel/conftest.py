"""Fixtures of this room."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastmux.security.certificates import issue_client, issue_server, make_ca, write_credential


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a CA, a server's certificate, and those of the clients "client" and "other"."""
    directory = tmp_path_factory.mktemp("keys")
    directory.chmod(0o700)
    ca = make_ca()
    write_credential(directory, "ca", ca)
    write_credential(directory, "server", issue_server(ca, "server"))
    for name in ("client", "other"):
        write_credential(directory, name, issue_client(ca, name))
    return directory


@pytest.fixture(autouse=True)
def former_log() -> Iterator[None]:
    """Commands set up the log of this process; afterwards it is as it was."""
    logger = logging.getLogger("fastmux")
    former = logger.level, logger.propagate, list(logger.handlers)
    yield
    logger.setLevel(former[0])
    logger.propagate = former[1]
    logger.handlers = former[2]
