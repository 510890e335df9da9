"""The sending side of a stream (RFC 9000 §2.2, §3.1): what was written until it is acknowledged.

Owns: the bytes of one stream and which of them are unsent, lost or acknowledged. May not know: packets,
credit, frames.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, final

from fastmux._core_py._arguments import Uncopied, integer, kept
from fastmux._core_py.range_set import RangeSet
from fastmux.constants import BLOCK_SIZE, JOIN_BELOW

if TYPE_CHECKING:
    from typing_extensions import Buffer



# Invariant: `pieces[i]` holds the bytes from `starts[i]` to `starts[i + 1]` (the last one to `written`), and
# pieces before index `head` are dropped. base <= next <= written. [0, base) is acknowledged; `acked` and
# `lost` hold ranges in [base, next), disjoint from each other.
@final
class SendStream(Uncopied):
    """The bytes of one stream until they are acknowledged; what cannot change is held by reference."""

    __slots__ = (
        "_acked",
        "_base",
        "_fin_acked",
        "_fin_due",
        "_finished",
        "_head",
        "_lost",
        "_next",
        "_pieces",
        "_starts",
        "_written",
    )

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray | memoryview] = []
        self._starts: list[int] = []
        self._head = 0
        self._base = self._next = self._written = 0
        self._acked = RangeSet()
        self._lost = RangeSet()
        self._finished = self._fin_due = self._fin_acked = False

    def write(self, data: Buffer) -> int:
        """Takes all of `data`; returns `unsent_size`. ValueError after `finish`."""
        piece = kept(data)
        if self._finished:
            raise ValueError("write after finish")
        if piece:
            self._append(piece)
            self._written += len(piece)
        return self._written - self._next

    def finish(self) -> None:
        """FIN follows what was written; once is enough."""
        if not self._finished:
            self._finished = self._fin_due = True

    def next_range(self, max_size: int, limit: int) -> tuple[int, bytes, bool] | None:
        """(offset, data, fin) of the next run to send, None if nothing can go.

        At most `max_size` bytes; lost runs first, new ones below the absolute offset `limit`. FIN comes with
        the run that reaches the end; a FIN alone is a run of no bytes.
        """
        size, end = integer(max_size), integer(limit)
        if size and self._lost._starts:
            start, stop = self._lost.pop_first(size)
        else:
            start = self._next
            stop = max(start, min(self._written, end, start + size))
            self._next = stop
        fin = self._fin_due and stop == self._written
        if start == stop and not fin:
            return None
        if fin:
            self._fin_due = False
        return start, self._slice(start, stop), fin

    def on_acked(self, start: int, stop: int, fin: bool) -> None:
        """The peer has the run [start, stop), and FIN if `fin`."""
        first, last = self._sent_part(start, stop)
        if first < last:
            self._acked._insert(first, last)
            self._lost._cut(first, last)
            if self._acked._starts[0] <= self._base:
                self._base = self._acked._stops[0]
                self._acked._cut(0, self._base)
                self._drop_pieces()
        if fin:
            self._fin_acked = True
            self._fin_due = False

    def on_lost(self, start: int, stop: int, fin: bool) -> None:
        """The run [start, stop), and FIN if `fin`, must go again, but for what was acknowledged meanwhile."""
        first, last = self._sent_part(start, stop)
        if first < last:
            for gap_start, gap_stop in self._acked._gaps(first, last):
                self._lost._insert(gap_start, gap_stop)
        if fin and not self._fin_acked:
            self._fin_due = True

    @property
    def unsent_size(self) -> int:
        """Bytes never sent yet."""
        return self._written - self._next

    @property
    def sent_size(self) -> int:
        """The offset up to which bytes were sent at least once."""
        return self._next

    @property
    def held_size(self) -> int:
        """Bytes written and not acknowledged from the front."""
        return self._written - self._base

    @property
    def is_delivered(self) -> bool:
        """True when FIN and everything before it is acknowledged."""
        return self._fin_acked and self._base == self._written

    # --- for the core -----------------------------------------------------------------------------

    def _next_offset(self) -> int:
        """Where the run that `next_range` would give starts."""
        return self._lost._starts[0] if self._lost._starts else self._next

    def _needs_no_credit(self) -> bool:
        """True if a lost run or a bare FIN waits."""
        return bool(self._lost._starts) or (self._fin_due and self._next == self._written)

    def _drop(self) -> None:
        """Forgets everything that was written: the stream was reset."""
        self._pieces.clear()
        self._starts.clear()
        self._head = 0
        self._acked.clear()
        self._lost.clear()
        self._base = self._written = self._next
        self._finished = True
        self._fin_due = False

    def _sent_part(self, start: int, stop: int) -> tuple[int, int]:
        """The part of [start, stop) that was sent and is not acknowledged from the front."""
        return max(integer(start), self._base), min(integer(stop), self._next)

    def _append(self, piece: bytes | memoryview) -> None:
        if len(piece) < JOIN_BELOW and self._head < len(self._pieces):
            last = self._pieces[-1]
            if type(last) is bytearray and len(last) + len(piece) <= BLOCK_SIZE:
                last += piece
                return
        self._starts.append(self._written)
        self._pieces.append(bytearray(piece) if len(piece) < JOIN_BELOW else piece)

    def _slice(self, start: int, stop: int) -> bytes:
        if start == stop:
            return b""
        index = bisect_right(self._starts, start, self._head) - 1
        piece, offset = self._pieces[index], self._starts[index]
        if stop - offset <= len(piece):
            return bytes(piece[start - offset : stop - offset])
        found = []
        while start < stop:
            piece, offset = self._pieces[index], self._starts[index]
            part = piece[start - offset : stop - offset]
            found.append(part)
            start += len(part)
            index += 1
        return b"".join(found)

    def _drop_pieces(self) -> None:
        """Drops the pieces that end at or below `base`; the lists shrink when half of them is dropped."""
        head = self._head
        while head < len(self._pieces) and self._starts[head] + len(self._pieces[head]) <= self._base:
            self._pieces[head] = b""
            head += 1
        self._head = head
        if head > 32 and head * 2 > len(self._pieces):
            del self._pieces[:head], self._starts[:head]
            self._head = 0
