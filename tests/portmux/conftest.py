"""Fixtures of this room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from e2e.peer import tls_of
from e2e.support import LoopFactory
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


@pytest.fixture(params=["asyncio", "uvloop", "without add_reader"])
def loop_factory(request: pytest.FixtureRequest) -> LoopFactory:
    """Each event loop that the main paths run on, and one that cannot watch sockets, as on Windows."""
    if request.param == "asyncio":
        return asyncio.SelectorEventLoop
    if request.param == "uvloop":
        factory: LoopFactory = pytest.importorskip("uvloop").new_event_loop
        return factory
    return LoopWithoutReaders


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """Refuses to watch a socket for its user."""

    def add_reader(self, *args: object) -> None:
        raise NotImplementedError
