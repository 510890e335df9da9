"""The statement with which each end confirms what it took part in: a magic and 32 bytes.

Owns: its bytes. May not know: what carries it, and what the 32 bytes (the context) are made of.
"""

from __future__ import annotations

from typing import Final

from fastmux.exceptions import HandshakeError

MAGIC: Final = b"fmx1"
CONTEXT_SIZE: Final = 32
CONFIRMATION_SIZE: Final = len(MAGIC) + CONTEXT_SIZE


def encode_confirmation(context: bytes) -> bytes:
    """Return the bytes of a confirmation. Raises ValueError unless the context has 32 bytes."""
    if len(context) != CONTEXT_SIZE:
        raise ValueError(f"a handshake context has {CONTEXT_SIZE} bytes, not {len(context)}")
    return MAGIC + context


class ConfirmationReader:
    """Reads one confirmation that may come in pieces.

    Invariant: `_data` is a prefix of a well-formed confirmation; `context` is set when it is
    whole, and nothing may follow it.
    """

    def __init__(self) -> None:
        self._data = b""
        self.context: bytes | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises HandshakeError for any that are no confirmation."""
        if not data:
            return
        joined = self._data + data
        if len(joined) > CONFIRMATION_SIZE or joined[: len(MAGIC)] != MAGIC[: len(joined)]:
            raise HandshakeError("the peer sent something other than its confirmation of the handshake")
        self._data = joined
        if len(joined) == CONFIRMATION_SIZE:
            self.context = joined[len(MAGIC) :]
