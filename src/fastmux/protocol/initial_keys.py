"""The keys of handshake packets, for anyone who saw the client's first id (docs/wire-format.md §5.2).

Owns: HKDF-Extract and HKDF-Expand-Label (RFC 5869, RFC 8446 §7.1) for results of one block.
May not know: any cipher. They protect against damage and strays; they hide nothing.
"""

from __future__ import annotations

import hashlib
import hmac

from fastmux import core
from fastmux.constants import HANDSHAKE_SALT, IV_SIZE, SUITE_AES_128_GCM, SUITE_KEY_SIZES


def expand_label(secret: bytes, label: bytes, size: int, algorithm: str = "sha256") -> bytes:
    """HKDF-Expand-Label with an empty context; `size` is at most that of the hash: one block."""
    full_label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes((len(full_label),)) + full_label + b"\0"
    return hmac.digest(secret, info + b"\x01", algorithm)[:size]


def initial_protection(
    first_destination_id: bytes, is_client: bool
) -> tuple[core.PacketProtection, core.PacketProtection]:
    """Give the protection of handshake packets, `(sending, receiving)` as this end sees it."""
    secret = hmac.digest(HANDSHAKE_SALT, first_destination_id, hashlib.sha256)  # HKDF-Extract
    client, server = (
        _protection(expand_label(secret, label, hashlib.sha256().digest_size))
        for label in (b"client hs", b"server hs")
    )
    return (client, server) if is_client else (server, client)


def _protection(secret: bytes) -> core.PacketProtection:
    key = expand_label(secret, b"fastmux key", SUITE_KEY_SIZES[SUITE_AES_128_GCM])
    return core.PacketProtection(SUITE_AES_128_GCM, key, expand_label(secret, b"fastmux iv", IV_SIZE))
