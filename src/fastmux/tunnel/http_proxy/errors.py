"""The two errors of the HTTP proxy: what a client did wrong or may not have, and an origin that failed.

Owns: the errors, and how h11's reasons are put. May not know: who raises them.
"""

from __future__ import annotations

import re
from typing import Final

import h11

_QUOTED: Final = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_BYTES: Final = re.compile(rf"\bbytearray\(b{_QUOTED}\)|\bb{_QUOTED}")  # as Python shows them


class RequestRefused(Exception):
    """This request is answered with `status` and a sentence, and goes nowhere."""

    def __init__(self, status: int, text: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.status}: {self.text}"


class UpstreamFailed(Exception):
    """The origin, or the way to it, failed before its answer was whole; str() says how."""


def reason_of(error: h11.ProtocolError) -> str:
    """h11's reason for people: what it quotes is in quotes, without Python's notation for bytes."""
    return _BYTES.sub(lambda found: found[1] or found[2], str(error))
