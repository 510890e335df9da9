"""HKDF-Expand-Label for results of one block (RFC 5869, RFC 8446 §7.1).

Owns: how the label is written. May not know: what any key is for.
"""

from __future__ import annotations

import hmac


def expand_label(secret: bytes, label: bytes, size: int, algorithm: str = "sha256") -> bytes:
    """HKDF-Expand-Label with an empty context; `size` is at most that of the hash: one block."""
    info = b"%c%c%ctls13 %b\0\x01" % (size >> 8, size & 0xFF, len(label) + 6, label)
    return hmac.digest(secret, info, algorithm)[:size]
