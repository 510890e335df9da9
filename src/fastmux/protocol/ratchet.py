"""From the secrets of one key phase to the keys of the next (docs/wire-format.md §5.4, RFC 9001 §6.1).

Owns: the label of the ratchet, and the hash of each suite. May not know: when keys change, any cipher.
"""

from __future__ import annotations

from typing import Final

from fastmux.constants import (
    IV_SIZE,
    SUITE_AES_128_GCM,
    SUITE_AES_256_GCM,
    SUITE_CHACHA20_POLY1305,
    SUITE_KEY_SIZES,
)
from fastmux.protocol.handshake import PacketKeys
from fastmux.protocol.hkdf import expand_label

_HASHES: Final = {
    SUITE_AES_128_GCM: "sha256",
    SUITE_AES_256_GCM: "sha384",
    SUITE_CHACHA20_POLY1305: "sha256",
}


def can_ratchet(keys: PacketKeys) -> bool:
    """False without secrets: the null suite has no key update."""
    return keys.suite in _HASHES and bool(keys.send_secret and keys.receive_secret)


def next_keys(keys: PacketKeys) -> PacketKeys:
    """Give the keys of the next phase, with the secrets that lead on from there; nothing leads back."""
    send_secret = _next_secret(keys.send_secret, keys.suite)
    receive_secret = _next_secret(keys.receive_secret, keys.suite)
    return PacketKeys(
        keys.suite,
        *_derive(send_secret, keys.suite),
        *_derive(receive_secret, keys.suite),
        send_secret,
        receive_secret,
        keys.log,
    )


def _next_secret(secret: bytes, suite: int) -> bytes:
    return expand_label(secret, b"fastmux ku", len(secret), _HASHES[suite])


def _derive(secret: bytes, suite: int) -> tuple[bytes, bytes]:
    key = expand_label(secret, b"fastmux key", SUITE_KEY_SIZES[suite], _HASHES[suite])
    return key, expand_label(secret, b"fastmux iv", IV_SIZE, _HASHES[suite])
