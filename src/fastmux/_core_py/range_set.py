"""Sorted sets of integer ranges: what arrived, what was lost, which ids are done.

Owns: RangeSet. May not know: what the integers stand for.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from operator import index
from typing import TYPE_CHECKING, SupportsIndex, final

from fastmux._core_py._arguments import Uncopied, integer

_TOP = 1 << 62


# Invariant: starts[i] < stops[i] < starts[i + 1]: sorted, disjoint, never adjacent, never empty.
# `covered` is the sum of stops[i] - starts[i].
@final
class RangeSet(Uncopied):
    """Half-open ranges of integers in [0, 2^62]. Adding at the end is O(1), elsewhere O(log n) to find."""

    __slots__ = ("_covered", "_starts", "_stops")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._covered = 0
        for start, stop in ranges:
            self.add(start, stop)

    def add(self, start: int, stop: int) -> None:
        """Adds [start, stop); ValueError if it is empty, OverflowError outside [0, 2^62]."""
        self._insert(*_checked(start, stop))

    def remove(self, start: int, stop: int) -> None:
        """Removes [start, stop), whether it was there or not; errors as `add`."""
        self._cut(*_checked(start, stop))

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The parts of [start, stop) that are not in the set, ascending; errors as `add`."""
        return self._gaps(*_checked(start, stop))

    def pop_first(self, max_size: int) -> tuple[int, int]:
        """Removes and returns at most `max_size` (at least 1) integers; IndexError if the set is empty."""
        size = integer(max_size, 0, _TOP)
        if size == 0:
            raise ValueError("max_size must be at least 1")
        if not self._starts:
            raise IndexError("pop_first from an empty RangeSet")
        start = self._starts[0]
        stop = min(self._stops[0], start + size)
        self._cut(start, stop)
        return start, stop

    def clear(self) -> None:
        """Removes everything."""
        self._starts.clear()
        self._stops.clear()
        self._covered = 0

    @property
    def covered(self) -> int:
        """The number of integers in the set."""
        return self._covered

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, SupportsIndex):
            return False
        number = index(value)
        position = bisect_right(self._starts, number) - 1
        return position >= 0 and number < self._stops[position]

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._stops, strict=True)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RangeSet):
            return NotImplemented
        return self._starts == other._starts and self._stops == other._stops

    if not TYPE_CHECKING:
        __hash__ = None

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"

    # --- for the core: the same without argument checks -------------------------------------------

    def _insert(self, start: int, stop: int) -> None:
        starts, stops = self._starts, self._stops
        if not stops or start > stops[-1]:
            starts.append(start)
            stops.append(stop)
            self._covered += stop - start
            return
        if start >= starts[-1]:  # in or right behind the last range: data in order
            if stop > stops[-1]:
                self._covered += stop - stops[-1]
                stops[-1] = stop
            return
        first = bisect_left(stops, start)  # ranges [first, last) touch or overlap the new one
        last = bisect_right(starts, stop)
        if first < last:
            start = min(start, starts[first])
            stop = max(stop, stops[last - 1])
            for position in range(first, last):
                self._covered -= stops[position] - starts[position]
        starts[first:last] = [start]
        stops[first:last] = [stop]
        self._covered += stop - start

    def _cut(self, start: int, stop: int) -> None:
        starts, stops = self._starts, self._stops
        first = bisect_right(stops, start)  # ranges [first, last) overlap the one to remove
        last = bisect_left(starts, stop)
        if first >= last:
            return
        left, right = starts[first], stops[last - 1]
        for position in range(first, last):
            self._covered -= stops[position] - starts[position]
        keep = []
        if left < start:
            keep.append((left, start))
        if right > stop:
            keep.append((stop, right))
        starts[first:last] = [item[0] for item in keep]
        stops[first:last] = [item[1] for item in keep]
        self._covered += sum(item[1] - item[0] for item in keep)

    def _gaps(self, start: int, stop: int) -> list[tuple[int, int]]:
        starts, stops = self._starts, self._stops
        if not stops or start >= stops[-1]:
            return [(start, stop)]
        found = []
        position = bisect_right(stops, start)
        while start < stop:
            if position == len(starts) or starts[position] >= stop:
                found.append((start, stop))
                break
            if start < starts[position]:
                found.append((start, starts[position]))
            start = stops[position]
            position += 1
        return found

    def _first_gap(self, start: int) -> int:
        """The first integer from `start` on that is not in the set."""
        position = bisect_right(self._stops, start)
        if position == len(self._starts) or start < self._starts[position]:
            return start
        return self._stops[position]

    def _first(self) -> tuple[int, int]:
        """The first range of a set that is not empty."""
        return self._starts[0], self._stops[0]

    def _overlaps(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The parts of [start, stop) that are in the set, ascending."""
        starts, stops = self._starts, self._stops
        found = []
        for position in range(bisect_right(stops, start), len(starts)):
            if starts[position] >= stop:
                break
            found.append((max(start, starts[position]), min(stop, stops[position])))
        return found

    def _last(self, count: int, above: int) -> list[tuple[int, int]]:
        """At most `count` ranges from the end, descending, that end above `above`."""
        first = max(bisect_right(self._stops, above), len(self._stops) - count)
        found = list(zip(self._starts[first:], self._stops[first:], strict=True))
        found.reverse()
        return found

    def _touches(self, start: int, stop: int) -> bool:
        """True if [start, stop) overlaps a range or lies right beside one: adding it makes no new range."""
        position = bisect_left(self._stops, start)
        return position < len(self._starts) and self._starts[position] <= stop


def _checked(start: int, stop: int) -> tuple[int, int]:
    first, last = integer(start, 0, _TOP), integer(stop, 0, _TOP)
    if first >= last:
        raise ValueError("an empty range")
    return first, last
