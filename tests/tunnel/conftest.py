"""Fixtures of this room."""

from __future__ import annotations

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
