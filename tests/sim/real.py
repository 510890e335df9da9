"""Real TLS for a few seeds: one CA and two certificates for the whole process.

Owns: making them, once. May not know: what the handshakes are used for. OpenSSL draws its own random
numbers: these seeds do not replay bit for bit.
"""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path

from fastmux.protocol.handshake import Handshake
from fastmux.security.config import TLSConfig
from security.support import HOST, World


def tls_handshake(is_client: bool) -> Handshake:
    """One end's handshake with certificates that fit."""
    client, server = _configurations()
    return client.create_handshake(True, HOST) if is_client else server.create_handshake(False)


@cache
def _configurations() -> tuple[TLSConfig, TLSConfig]:
    directory = tempfile.TemporaryDirectory()
    atexit.register(directory.cleanup)
    world = World.make(Path(directory.name))
    return world.client(), world.server()
