"""Received packet numbers: the duplicate filter and the source of ACK ranges (RFC 9000 §13.2).

Owns: the numbers received, the largest and when it came. May not know: packets, clocks, when an ACK is due.
"""

from __future__ import annotations

from typing import final

from fastmux._core_py._arguments import Uncopied, integer, seconds
from fastmux._core_py.range_set import RangeSet
from fastmux.constants import MAX_RECEIVED_RANGES


# Invariant: every number below `floor` counts as received; `ranges` holds at most `max_ranges` ranges.
# A range that ends at or below `report_from` needs no report any more (RFC 9000 §13.2.4).
@final
class ReceivedPackets(Uncopied):
    """The duplicate filter; it remembers `max_ranges` ranges, older numbers are duplicates."""

    __slots__ = ("_floor", "_largest", "_largest_at", "_max_ranges", "_ranges", "_report_from")

    def __init__(self, max_ranges: int = MAX_RECEIVED_RANGES) -> None:
        limit = integer(max_ranges, 0, 0x7FFFFFFF)
        if limit < 1:
            raise ValueError("max_ranges must be at least 1")
        self._max_ranges = limit
        self._ranges = RangeSet()
        self._floor = 0
        self._report_from = 0
        self._largest = -1
        self._largest_at = 0.0

    def add(self, packet_number: int, now: float, ack_eliciting: bool) -> bool:
        """False for a duplicate or a number below the floor; the time kept is that of the largest number.

        When an ACK is due is the caller's affair: `ack_eliciting` changes nothing here.
        """
        number, at = integer(packet_number), seconds("now", now)
        if self._has(number):
            return False
        self._ranges._insert(number, number + 1)
        if number > self._largest:
            self._largest = number
            self._largest_at = at
        self._report_from = min(self._report_from, number)  # it came late: its range is news again
        if len(self._ranges) > self._max_ranges:
            oldest_start, oldest_stop = self._ranges._first()
            self._ranges._cut(oldest_start, oldest_stop)
            self._floor = oldest_stop
        return True

    def is_duplicate(self, packet_number: int) -> bool:
        """True if `add` would refuse the number."""
        return self._has(integer(packet_number))

    def ack_ranges(self, max_ranges: int) -> list[tuple[int, int]]:
        """At most `max_ranges` ranges, newest first, that the peer may not know of yet."""
        return self._ranges._last(integer(max_ranges), self._report_from)

    def on_ack_acknowledged(self, largest: int) -> None:
        """The peer has our ACK up to `largest`: what is at or below it needs no report (RFC 9000 §13.2.4)."""
        self._report_from = max(self._report_from, integer(largest) + 1)

    @property
    def largest(self) -> int:
        """The largest number received, -1 before any."""
        return self._largest

    @property
    def largest_at(self) -> float:
        """When the largest number came, 0.0 before any."""
        return self._largest_at

    def __len__(self) -> int:
        return len(self._ranges)

    def _first_missing(self, start: int) -> int:
        """The first number from `start` on that was not received; all below the floor count as received."""
        return self._ranges._first_gap(max(start, self._floor))

    def _has(self, number: int) -> bool:
        return number <= self._largest and (number < self._floor or number in self._ranges)
