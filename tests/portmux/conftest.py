"""Fixtures of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.peer import tls_of
from fastmux import TLSConfig
from fastmux.security.certificates import make_credentials


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a CA, a server's and a client's certificate."""
    directory = tmp_path_factory.mktemp("credentials") / "credentials"
    make_credentials(directory, days=1)
    return directory


@pytest.fixture
def server_tls(credentials: Path) -> TLSConfig:
    """A good server."""
    return tls_of(credentials, "server")


@pytest.fixture
def client_tls(credentials: Path) -> TLSConfig:
    """A good client."""
    return tls_of(credentials, "client")
