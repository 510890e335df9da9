"""The keys of handshake packets, for anyone who saw the client's first id (docs/wire-format.md §5.2).

Owns: which labels lead to them. May not know: any cipher. They protect against damage and strays; they hide
nothing, so the latest are remembered: a server needs those of a client twice, to look and to answer.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

from fastmux import core
from fastmux.constants import HANDSHAKE_SALT, IV_SIZE, MAX_INITIAL_KEYS, SUITE_AES_128_GCM, SUITE_KEY_SIZES
from fastmux.protocol.hkdf import expand_label

_KeyAndIv = tuple[bytes, bytes]


def initial_protection(
    first_destination_id: bytes, is_client: bool
) -> tuple[core.PacketProtection, core.PacketProtection]:
    """Give the protection of handshake packets, `(sending, receiving)` as this end sees it."""
    client, server = (core.PacketProtection(SUITE_AES_128_GCM, *each) for each in _keys(first_destination_id))
    return (client, server) if is_client else (server, client)


@lru_cache(maxsize=MAX_INITIAL_KEYS)
def _keys(first_destination_id: bytes) -> tuple[_KeyAndIv, _KeyAndIv]:
    """The client's and the server's."""
    secret = hmac.digest(HANDSHAKE_SALT, first_destination_id, "sha256")  # HKDF-Extract
    client, server = (expand_label(secret, label, len(secret)) for label in (b"client hs", b"server hs"))
    return _derive(client), _derive(server)


def _derive(secret: bytes) -> _KeyAndIv:
    key = expand_label(secret, b"fastmux key", SUITE_KEY_SIZES[SUITE_AES_128_GCM])
    return key, expand_label(secret, b"fastmux iv", IV_SIZE)
