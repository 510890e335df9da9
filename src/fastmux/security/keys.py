"""The key schedule: from a secret to keys and IVs (docs/wire-format.md).

Owns: its labels, and the hash of each suite. May not know: TLS, packets, where a secret comes from.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from fastmux.constants import (
    HANDSHAKE_SALT,
    IV_SIZE,
    SUITE_AES_128_GCM,
    SUITE_AES_256_GCM,
    SUITE_CHACHA20_POLY1305,
    SUITE_KEY_SIZES,
)
from fastmux.protocol import hkdf
from fastmux.protocol.handshake import PacketKeys

_HASHES: Final = {
    SUITE_AES_128_GCM: "sha256",
    SUITE_AES_256_GCM: "sha384",
    SUITE_CHACHA20_POLY1305: "sha256",
}
_SECRET_SIZES: Final = {suite: hashlib.new(name).digest_size for suite, name in _HASHES.items()}


def secret_size(suite: int) -> int:
    """Return the size in bytes of a traffic secret: that of the suite's hash."""
    return _SECRET_SIZES[suite]


def expand_label(secret: bytes, label: bytes, size: int, suite: int) -> bytes:
    """HKDF-Expand-Label with no context and the suite's hash, `size` bytes (RFC 8446 §7.1)."""
    return hkdf.expand_label(secret, label, size, _HASHES[suite])


def derive(secret: bytes, suite: int) -> tuple[bytes, bytes]:
    """Derive one direction's packet key (of the suite's size) and IV (12 bytes) from its secret."""
    key = expand_label(secret, b"fastmux key", SUITE_KEY_SIZES[suite], suite)
    return key, expand_label(secret, b"fastmux iv", IV_SIZE, suite)


def traffic_keys(client_secret: bytes, server_secret: bytes, suite: int, is_client: bool) -> PacketKeys:
    """Derive both directions' keys, as the client or the server sees them."""
    send_secret, receive_secret = client_secret, server_secret
    if not is_client:
        send_secret, receive_secret = server_secret, client_secret
    return PacketKeys(
        suite,
        *derive(send_secret, suite),
        *derive(receive_secret, suite),
        send_secret,
        receive_secret,
    )


def handshake_keys(first_connection_id: bytes, is_client: bool) -> PacketKeys:
    """Derive the keys of handshake packets, which any observer can derive too (RFC 9001 §5.2).

    They find damage; they hide nothing. Always AES-128-GCM.
    """
    secret = hmac.digest(HANDSHAKE_SALT, first_connection_id, "sha256")  # HKDF-Extract
    client, server = (
        expand_label(secret, label, secret_size(SUITE_AES_128_GCM), SUITE_AES_128_GCM)
        for label in (b"client hs", b"server hs")
    )
    return traffic_keys(client, server, SUITE_AES_128_GCM, is_client)
