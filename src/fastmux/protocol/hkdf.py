"""HKDF-Extract and HKDF-Expand-Label for results of one block (RFC 5869, RFC 8446 §7.1).

Owns: both, and the HMAC (RFC 2104) that they are made of. May not know: what any key is for.
"""

from __future__ import annotations

import hashlib
from typing import Final

_HASHES: Final = {"sha256": (hashlib.sha256, 64), "sha384": (hashlib.sha384, 128)}  # sizes of their blocks
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


def hmac_digest(key: bytes, message: bytes, algorithm: str) -> bytes:
    """HMAC with "sha256" or "sha384" of a key that is no longer than the hash's block.

    From two plain hashes: `hmac.digest` asks OpenSSL 3 for its MAC by name at every call, which takes several
    times as long as the hashes do, and a handshake needs some forty. Raises ValueError for a longer key.
    """
    digest, block_size = _HASHES[algorithm]
    if len(key) > block_size:
        raise ValueError(f"a key of {len(key)} bytes is longer than the block of {algorithm}")
    block = key.ljust(block_size, b"\0")
    return digest(block.translate(_OUTER) + digest(block.translate(_INNER) + message).digest()).digest()


def expand_label(secret: bytes, label: bytes, size: int, algorithm: str = "sha256") -> bytes:
    """HKDF-Expand-Label with an empty context; `size` is at most that of the hash: one block."""
    info = b"%c%c%ctls13 %b\0\x01" % (size >> 8, size & 0xFF, len(label) + 6, label)
    return hmac_digest(secret, info, algorithm)[:size]
