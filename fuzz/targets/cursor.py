"""What targets share: reading an input byte by byte, what a call comes to, bytes that can be told apart.

Owns: those. May not know: any target.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastmux.exceptions import (
    BrokenResourceError,
    ChannelReset,
    ClosedResourceError,
    MessageTooBig,
    ProtocolError,
    WouldBlock,
)

Outcome = tuple[str, Any]
PATTERNS = 8
PATTERN_SIZE = 32768
_EXPECTED = (
    BrokenResourceError,
    ClosedResourceError,
    MessageTooBig,
    WouldBlock,
    BufferError,
    KeyError,
    OverflowError,
    ValueError,
)


def outcome(call: Callable[..., Any], *args: Any) -> Outcome:
    """What a call comes to: ("value", …) or the name of an error that the contract has; others go on."""
    try:
        return "value", call(*args)
    except ProtocolError as error:
        return "ProtocolError", (error.code, error.reason)
    except ChannelReset as error:
        return "ChannelReset", error.code
    except _EXPECTED as error:
        return type(error).__name__, None


def _make_patterns() -> list[bytes]:
    """The same bytes as `fill_patterns` of fuzz/native/stream.pxi."""
    return [
        bytes((at * 31 + (at >> 8) * 7 + pattern * 101) & 0xFF for at in range(PATTERN_SIZE))
        for pattern in range(PATTERNS)
    ]


patterns = _make_patterns()


class Cursor:
    """Reads an input; what is missing at its end is zero, or empty."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self.data) - self.at

    def byte(self) -> int:
        """The next byte."""
        at = self.at
        self.at = at + 1
        return self.data[at] if at < len(self.data) else 0

    def word(self) -> int:
        """Two bytes, the higher one first."""
        return self.byte() << 8 | self.byte()

    def take(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        at = self.at
        self.at = min(at + size, len(self.data))
        return self.data[at : self.at]
