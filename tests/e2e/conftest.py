"""Fixtures of this room."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.peer import tls_of
from e2e.support import LoopFactory
from fastmux import TLSConfig, core
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


def _uvloop() -> asyncio.AbstractEventLoop:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


@pytest.fixture(params=[asyncio.new_event_loop, _uvloop], ids=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> LoopFactory:
    """Each event loop that the main paths run on."""
    factory: LoopFactory = request.param
    return factory


@pytest.fixture(autouse=True)
def nothing_is_left_over() -> Iterator[None]:
    """After each test the core has freed everything it had."""
    yield
    for _ in range(2):  # what the finalizers of the first pass let go is found by the second
        gc.collect()
    assert core.live() == (0, 0)
