"""What a transport was given and its stream has no room for yet.

Owns: the pieces in order, and the limits between which a protocol is paused. May not know: protocols,
streams.
"""

from __future__ import annotations

from collections import deque
from typing import Final

DEFAULT_HIGH: Final = 64 * 1024  # bytes, as asyncio's own transports
_LOW_SHARE: Final = 4  # the low limit is a fourth of the high one, as there


class WriteBuffer:
    """Pieces of `bytes`, first in, first out.

    Invariant: `size` is the sum of the sizes of `_pieces`; `0 <= low <= high`.
    """

    __slots__ = ("_pieces", "high", "low", "size")

    def __init__(self) -> None:
        self._pieces: deque[bytes] | None = None  # most streams always have room
        self.size = 0
        self.high = DEFAULT_HIGH
        self.low = DEFAULT_HIGH // _LOW_SHARE

    def __bool__(self) -> bool:
        return self.size > 0

    def push(self, piece: bytes) -> None:
        """Put a piece, which is not empty, at the end."""
        if self._pieces is None:
            self._pieces = deque()
        self._pieces.append(piece)
        self.size += len(piece)

    def pop(self) -> bytes:
        """Take the first piece. Raises IndexError if there is none."""
        if self._pieces is None:
            raise IndexError("nothing is buffered")
        piece = self._pieces.popleft()
        self.size -= len(piece)
        return piece

    def clear(self) -> None:
        """Drop everything."""
        self._pieces = None
        self.size = 0

    def set_limits(self, high: int | None, low: int | None) -> None:
        """As `asyncio.WriteTransport.set_write_buffer_limits`. Raises ValueError unless 0 <= low <= high."""
        if high is None:
            high = DEFAULT_HIGH if low is None else _LOW_SHARE * low
        if low is None:
            low = high // _LOW_SHARE
        if not 0 <= low <= high:
            raise ValueError(f"the limits must be 0 <= low <= high, not low {low} and high {high}")
        self.high, self.low = high, low
