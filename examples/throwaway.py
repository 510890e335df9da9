"""Certificates for an example: made in a folder that is gone afterwards.

A real program has its files made once (`fastmux init`) and names them:

    tls = fastmux.TLSConfig("server.pem", "server.key", "ca.pem")
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fastmux
from fastmux.security.certificates import make_credentials


@contextmanager
def certificates() -> Iterator[tuple[fastmux.TLSConfig, fastmux.TLSConfig]]:
    """What a server and a client on this machine need: each proves itself to the other."""
    with tempfile.TemporaryDirectory() as folder:
        files = make_credentials(Path(folder), days=1)
        yield (
            fastmux.TLSConfig(files.server, files.server_key, files.ca),
            fastmux.TLSConfig(files.client, files.client_key, files.ca),
        )
