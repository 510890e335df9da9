"""The two errors of the HTTP proxy: what a client did wrong or may not have, and an origin that failed.

Owns: the errors. May not know: who raises them.
"""

from __future__ import annotations


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
