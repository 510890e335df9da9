"""T3: ranges of ACK frames into the ledger of sent packets.

Owns: what the input means. The low three bits of a byte say what, the high five how much: 0, 1 packets sent
(a byte of flags follows: 1 ack-eliciting, 2 in flight); 2 a number skipped, or time; 3, 4 an ACK of one to
four ranges (two bytes each: how far below the last one, how long); 5 an ACK frame of so many bytes; 6 losses;
7 the application had no more. May not know: which core it is.
"""

from __future__ import annotations

from typing import Any

from fastmux import constants as c
from fuzz.targets.cursor import Cursor, outcome

_MAX_PACKETS = 1024


def seeds() -> list[bytes]:
    """Packets acknowledged, skipped, lost; over more than one chunk; by a frame."""
    return [
        bytes((0x90, 3, 0x03, 2, 2, 0x06, 0x42)),
        bytes((0xF8, 3, 0x02, 0xF8, 3, 0x0B, 1, 3, 2, 5, 0x52, 0x16)),
        bytes((0xF8, 3, 0xF9, 1, 0xF8, 2, 0xF8, 0, 0x1B, 4, 1, 1, 9, 3, 20, 7, 30, 0x1E, 0xFA, 0x0E)),
        bytes((0x48, 3, 0x35, 0x02, 0x06, 0x00, 0x01, 0x01, 0x00, 0x01, 0x06, 0x07, 0x0F)),
        bytes((2, 0, 3, 2)) * 12 + bytes((3, 2, 4)),
    ]


class _Session:
    def __init__(self, core: Any) -> None:
        self.core = core
        self.sent = core.SentPackets()
        self.now = 1.0
        self.loss_delay = 0.01
        self.trace: list[Any] = []

    def step(self, cursor: Cursor) -> None:
        """One operation."""
        first = cursor.byte()
        what, amount = first & 7, first >> 3
        if what <= 1:
            if cursor.left >= 1:
                self._add(amount + 1 if amount >= 28 else (amount & 3) + 1, cursor.byte())
        elif what == 2 and amount < 2:
            if self.sent.next_packet_number < _MAX_PACKETS:
                self.sent.skip()
        elif what == 2:
            self.now += 0.004 * amount
        elif what <= 4:
            count = (amount & 3) + 1
            places = cursor.take(2 * count)
            if len(places) == 2 * count:
                self._ack(places)
        elif what == 5:
            self._frame(cursor.take(amount))
        elif what == 6:
            self.loss_delay = 0.01 * (amount & 7)
            self.trace.append(self.sent.detect_losses(self.loss_delay, self.now))
        else:
            if amount & 1:
                self.trace.append(self.sent.take_summary())
            self.sent.set_app_limited()

    def _add(self, count: int, flags: int) -> None:
        for _ in range(count):
            if self.sent.next_packet_number < _MAX_PACKETS:
                self.sent.add(100 + flags, self.now, bool(flags & 1), bool(flags & 2))

    def _ack(self, places: bytes) -> None:
        ranges, at = [], self.sent.next_packet_number + 2
        for distance, size in zip(places[::2], places[1::2], strict=True):
            stop = at - (distance & 0x3F) - 1
            at = stop - (size & 0x3F) - 1
            if at < 0:
                break
            ranges.append((at, stop))
        self._acknowledge(ranges)

    def _frame(self, form: bytes) -> None:
        kind, frames = outcome(self.core.parse_frames, form)
        if kind == "value" and len(frames) == 1 and frames[0][0] == c.FRAME_ACK:
            self._acknowledge(list(frames[0][2]))

    def _acknowledge(self, ranges: list[tuple[int, int]]) -> None:
        if ranges:
            self.trace.append(outcome(self.sent.acknowledge, ranges, 0.001, self.now))

    def figures(self) -> tuple[Any, ...]:
        """What the ledger says of itself."""
        sent = self.sent
        return len(sent), sent.next_packet_number, sent.largest_acked, sent.bytes_in_flight, sent.loss_at


def replay(core: Any, data: bytes) -> list[Any]:
    """Every result, and the figures at the end."""
    session, cursor = _Session(core), Cursor(data)
    while cursor.left > 0:
        session.step(cursor)
    return [*session.trace, session.figures()]
