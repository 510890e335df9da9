"""T5: the reassembler of one message.

Owns: what the input means. The first byte chooses the number of units; then three bytes a run: the unit, its
size, and how the size is meant (1 units, else bytes; 2 up to the end, or short of it; the rest a pattern).
May not know: which core it is.
"""

from __future__ import annotations

from typing import Any

from fastmux.constants import FRAGMENT_UNIT
from fuzz.targets.cursor import PATTERNS, Cursor, outcome, patterns

_COUNTS = (1, 2, 3, 31, 32, 33, 65, 96)


def seeds() -> list[bytes]:
    """Whole, in halves either way round, overlapping, too long, an empty message."""
    return [
        bytes((0, 0, 0, 0)),
        bytes((0, 0, 77, 0)),
        bytes((1, 0, 1, 1, 1, 9, 2)),
        bytes((5, 30, 20, 2, 0, 30, 9, 0, 33, 9)),
        bytes((7, 90, 0, 2, 60, 31, 1, 30, 31, 17, 0, 31, 1, 29, 2, 9)),
        bytes((6, 64, 5, 0, 64, 6, 0, 65, 1, 0, 0, 33, 1, 32, 33, 1)),
    ]


def replay(core: Any, data: bytes) -> list[Any]:
    """Every result, and the message if it is whole."""
    if not data:
        return []
    cursor = Cursor(data)
    count = _COUNTS[cursor.byte() & 7]
    message = core.Reassembler(count)
    trace: list[Any] = []
    while cursor.left >= 3:
        unit, drawn, how = cursor.byte(), cursor.byte(), cursor.byte()
        size = drawn * (FRAGMENT_UNIT if how & 1 else 1) % 4225
        if how & 2:
            size = max((count - unit) * FRAGMENT_UNIT - drawn % 160, 0)
        start = unit * FRAGMENT_UNIT
        piece = patterns[how >> 3 & (PATTERNS - 1)][start : start + size]
        trace.append(outcome(message.add, unit, piece + bytes(size - len(piece))))
    trace.append((message.is_complete, message.held_size, message.span_count))
    if message.is_complete:
        trace.append(message.take())
    return trace
