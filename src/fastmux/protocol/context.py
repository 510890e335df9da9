"""What the packet keys are bound to: all that both ends said outside TLS (docs/wire-format.md §5.3).

Owns: the order and the framing of what is hashed. May not know: where the hash goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from fastmux.constants import PROTOCOL_LABEL


def key_context(
    version: int,
    offered_versions: Sequence[int],
    client_parameters: bytes,
    server_parameters: bytes,
    first_destination_id: bytes,
    *,
    retry_source_id: bytes = b"",
    token: bytes = b"",
) -> bytes:
    """Give the 32-byte context. A change of any of these on the way gives the two ends different keys."""
    parts = (
        PROTOCOL_LABEL,
        version.to_bytes(4, "big"),
        b"".join(offered.to_bytes(4, "big") for offered in offered_versions),
        client_parameters,
        server_parameters,
        first_destination_id,
        retry_source_id,
        token,
    )
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()
