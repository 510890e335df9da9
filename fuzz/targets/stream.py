"""T4: the receiving side of a stream.

Owns: what the input means. The low three bits of a byte say what, the high five how much, and two bytes make
a value: 0 to 3 bytes arrive at that offset (one more byte: how many, 16 times that if the amount is odd, and
which pattern; FIN from 24 on); 4, 5 so many are read; 6 all is read; 7 RESET with that final size, for
amounts below 4. May not know: which core it is.
"""

from __future__ import annotations

from typing import Any

from fuzz.targets.cursor import PATTERN_SIZE, PATTERNS, Cursor, outcome, patterns


def seeds() -> list[bytes]:
    """In order, out of order, overlapping, with an end, reset; over several blocks."""
    return [
        bytes((0, 0, 0, 99, 0, 0, 99, 80, 6, 0, 0)),
        bytes((0, 1, 0, 99, 0, 0, 0, 200, 6, 0, 0, 0xC1, 1, 99, 0, 6, 0, 0)),
        bytes((0x28, 16, 0, 255, 0x28, 32, 0, 254, 0x28, 0, 0, 255, 4, 20, 0, 0x28, 24, 0, 253, 6, 0, 0)),
        bytes((0, 2, 0, 9, 0, 4, 0, 9, 0, 1, 0xFA, 200, 0, 3, 0, 250, 0, 0, 0, 255, 6, 0, 0)),
        bytes((0, 0, 5, 8, 7, 0, 50, 0, 0, 9, 8, 4, 0, 9)),
    ]


def replay(core: Any, data: bytes) -> list[Any]:
    """Every result, and the figures at the end."""
    stream, cursor = core.ReceiveStream(), Cursor(data)
    trace: list[Any] = []
    while cursor.left >= 3:
        first = cursor.byte()
        what, amount = first & 7, first >> 3
        value = cursor.word() % 20000
        if what <= 3 and cursor.left:
            drawn = cursor.byte()
            stop = value + (drawn << (amount & 1) * 4)
            piece = patterns[drawn % PATTERNS][value:stop]
            trace.append(outcome(stream.receive, value, piece, amount >= 24))
        elif what in (4, 5):
            trace.append(stream.read(value))
        elif what == 6:
            trace.append(stream.read(PATTERN_SIZE))
        elif what == 7 and amount < 4:
            trace.append(outcome(stream.reset, value))
    figures = stream.readable_size, stream.highest_offset, stream.consumed, stream.held_size
    return [*trace, figures, stream.span_count, stream.final_size, stream.is_finished]
