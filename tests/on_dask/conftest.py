"""Fixtures of this room, which is left out where Dask is not installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

HAS_DASK = importlib.util.find_spec("distributed") is not None
collect_ignore_glob = [] if HAS_DASK else ["test_*.py"]


def pytest_report_header() -> str:
    return "" if HAS_DASK else "Dask is not installed (pip install 'fastmux[dask]'): no tests/on_dask"


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CA, a certificate for an end that listens and connects, and a client's."""
    from fastmux.security.certificates import issue_client, issue_peer, make_ca, write_credential

    folder = tmp_path_factory.mktemp("dask")
    ca = make_ca(days=1)
    write_credential(folder, "ca", ca)
    write_credential(folder, "node", issue_peer(ca, "node", days=1))
    write_credential(folder, "client", issue_client(ca, "client", days=1))
    write_credential(folder, "named", issue_peer(ca, "named", ["dask.example"], days=1))
    write_credential(folder, "stranger", issue_peer(make_ca(days=1), "stranger", days=1))
    return folder
