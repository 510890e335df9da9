"""Reassembly of one message from runs of 128-byte units (docs/wire-format.md §9).

Owns: the units of one message. May not know: ids, channels, order, credit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from fastmux._core_py._arguments import Uncopied, integer, octets
from fastmux._core_py.range_set import RangeSet
from fastmux.constants import (
    BLOCK_SIZE,
    FINAL_SIZE_ERROR,
    FRAGMENT_UNIT,
    FRAME_ENCODING_ERROR,
    MAX_VARINT,
    PROTOCOL_VIOLATION,
    UNITS_PER_BLOCK,
)
from fastmux.exceptions import ProtocolError

if TYPE_CHECKING:
    from typing_extensions import Buffer



def run_stop(index: int, size: int, count: int) -> int:
    """The unit after the run of `size` bytes that starts with unit `index` of a message of `count` units.

    ProtocolError(PROTOCOL_VIOLATION) if the run is outside the message, ProtocolError(FRAME_ENCODING_ERROR)
    if it is not whole units and not the end.
    """
    if index >= count:
        raise ProtocolError(PROTOCOL_VIOLATION, "fragment index beyond the message")
    if size == 0 and count == 1:
        return 1
    stop = index + (size + FRAGMENT_UNIT - 1) // FRAGMENT_UNIT
    if stop > count:
        raise ProtocolError(PROTOCOL_VIOLATION, "fragment beyond the message")
    if size == 0 or (size % FRAGMENT_UNIT and stop != count):
        raise ProtocolError(FRAME_ENCODING_ERROR, "fragment is not whole units")
    return stop


# Invariant: `received` holds the units that came; each of them is in its block of `blocks`. `last_size` is
# the length of the last unit once that came, else None. First copy wins: a unit is written once.
@final
class Reassembler(Uncopied):
    """One message of `fragment_count` units of 128 bytes; memory follows what came, by 32 units."""

    __slots__ = ("_blocks", "_count", "_held", "_last_size", "_received", "_taken")

    def __init__(self, fragment_count: int) -> None:
        count = integer(fragment_count, 0, MAX_VARINT // FRAGMENT_UNIT)
        if count == 0:
            raise ValueError("fragment_count must be at least 1")
        self._count = count
        self._blocks: dict[int, bytearray] = {}
        self._received = RangeSet()
        self._taken = False
        self._last_size: int | None = None
        self._held = 0

    def add(self, index: int, data: Buffer) -> bool:
        """True if anything in the run from unit `index` on was new; errors as `run_stop`.

        ProtocolError(FINAL_SIZE_ERROR) for a last unit of another length than one already seen.
        """
        start, view = integer(index), octets(data)
        stop = self._check(start, len(view))
        if stop == self._count:
            self._last_size = self._last_unit(start, len(view))
        missing = self._received._gaps(start, stop)
        for first, last in missing:
            self._store(first, view[(first - start) * FRAGMENT_UNIT : (last - start) * FRAGMENT_UNIT])
            self._received._insert(first, last)
        return bool(missing)

    def take(self) -> bytes:
        """The whole message, once; ValueError if it is not complete or was taken."""
        if self._taken or not self.is_complete:
            raise ValueError("the message is not complete")
        whole = b"".join([self._blocks[number] for number in range(len(self._blocks))])
        size = (self._count - 1) * FRAGMENT_UNIT + (self._last_size or 0)
        self._blocks.clear()
        self._held = 0
        self._taken = True
        return whole[:size]

    @property
    def is_complete(self) -> bool:
        """True when every unit came."""
        return self._received._covered == self._count

    @property
    def held_size(self) -> int:
        """Bytes of the blocks allocated."""
        return self._held

    @property
    def span_count(self) -> int:
        """Disjoint runs of units held."""
        return len(self._received)

    # --- for the core -----------------------------------------------------------------------------

    def _check(self, index: int, size: int) -> int:
        stop = run_stop(index, size, self._count)
        if stop == self._count and self._last_size not in (None, self._last_unit(index, size)):
            raise ProtocolError(FINAL_SIZE_ERROR, "message size changed")
        return stop

    def _touches(self, start: int, stop: int) -> bool:
        """True if keeping the units [start, stop) makes no new span."""
        return self._received._touches(start, stop)

    def _last_unit(self, index: int, size: int) -> int:
        return size - (self._count - 1 - index) * FRAGMENT_UNIT

    def _store(self, unit: int, data: memoryview) -> None:
        at = 0
        while at < len(data):
            number, first = divmod(unit, UNITS_PER_BLOCK)
            block = self._blocks.get(number)
            if block is None:
                units = min(UNITS_PER_BLOCK, self._count - number * UNITS_PER_BLOCK)
                block = self._blocks[number] = bytearray(units * FRAGMENT_UNIT)
                self._held += len(block)
            inner = first * FRAGMENT_UNIT
            size = min(BLOCK_SIZE - inner, len(data) - at)
            block[inner : inner + size] = data[at : at + size]
            at += size
            unit += size // FRAGMENT_UNIT
