"""The receiving side of a stream (RFC 9000 §2.2, §4.5): bytes by offset, put in order.

Owns: what arrived of one stream and how far it was read. May not know: channels, credit, frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from fastmux._core_py._arguments import Uncopied, integer, octets, writable
from fastmux._core_py.range_set import RangeSet
from fastmux.constants import BLOCK_SIZE, FINAL_SIZE_ERROR, MAX_VARINT
from fastmux.exceptions import ProtocolError

if TYPE_CHECKING:
    from typing_extensions import Buffer


# Invariant: `received` holds the offsets at or above `consumed` whose bytes came, and each of them is in
# its block of `blocks` (offset // 4096). First copy wins: a byte is written once. No block is kept that
# holds nothing unread. consumed <= highest <= final size, once that is known.
@final
class ReceiveStream(Uncopied):
    """The bytes of one stream as they come, in blocks of 4 KiB by offset."""

    __slots__ = ("_blocks", "_consumed", "_discarding", "_final_size", "_highest", "_received")

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}
        self._received = RangeSet()
        self._consumed = self._highest = 0
        self._final_size: int | None = None
        self._discarding = False

    def receive(self, offset: int, data: Buffer, fin: bool = False) -> int:
        """Takes the bytes at `offset`; returns how far the highest offset advanced.

        ProtocolError(FINAL_SIZE_ERROR) when the final size changes or is passed (RFC 9000 §4.5).
        """
        start, view = integer(offset), octets(data)
        stop = start + len(view)
        if stop > MAX_VARINT:
            raise OverflowError("offset out of range")
        check_final_size(self._highest, self._final_size, stop, bool(fin))
        if fin:
            self._final_size = stop
        advance = max(0, stop - self._highest)
        self._highest += advance
        if self._discarding:
            self._consumed = self._highest
        elif stop > max(start, self._consumed):
            self._keep(start, stop, view)
        return advance

    def read(self, max_bytes: int) -> bytes | None:
        """At most `max_bytes` in order; b"" if nothing is there now, None at the end."""
        size = min(integer(max_bytes), self.readable_size)
        if size == 0:
            return None if self.is_finished else b""
        data = b"".join(self._pieces(self._consumed, self._consumed + size))
        self._consume(size)
        return data

    def read_into(self, buffer: Buffer) -> int:
        """As `read`, into a writable buffer: the count, 0 if nothing is there now, -1 at the end."""
        view = writable(buffer)
        size = min(view.nbytes, self.readable_size)
        if size == 0:
            return -1 if self.is_finished else 0
        at = 0
        for piece in self._pieces(self._consumed, self._consumed + size):
            view[at : at + len(piece)] = piece
            at += len(piece)
        self._consume(size)
        return size

    def reset(self, final_size: int) -> int:
        """Drops what is held; returns the bytes whose credit returns; errors as `receive`."""
        size = integer(final_size)
        check_final_size(self._highest, self._final_size, size, True)
        returned = size - self._consumed
        self._final_size = self._highest = size
        self._discard()
        return returned

    @property
    def readable_size(self) -> int:
        """Bytes that can be read now."""
        starts = self._received._starts
        return self._received._stops[0] - self._consumed if starts and starts[0] == self._consumed else 0

    @property
    def highest_offset(self) -> int:
        """The offset after the last byte known of: what credit is charged."""
        return self._highest

    @property
    def consumed(self) -> int:
        """The offset up to which everything was read or dropped."""
        return self._consumed

    @property
    def held_size(self) -> int:
        """Bytes of the blocks allocated."""
        return len(self._blocks) * BLOCK_SIZE

    @property
    def span_count(self) -> int:
        """Disjoint spans of unread bytes."""
        return len(self._received)

    @property
    def final_size(self) -> int | None:
        """The size of the whole stream once FIN or RESET told it."""
        return self._final_size

    @property
    def is_finished(self) -> bool:
        """True when the final size is known and everything up to it was read or dropped."""
        return self._consumed == self._final_size

    # --- for the core -----------------------------------------------------------------------------

    def _touches(self, start: int, stop: int) -> bool:
        """True if keeping [start, stop) makes no new span."""
        return self._discarding or start <= self._consumed or self._received._touches(start, stop)

    def _discard(self) -> None:
        """Drops what is held and from now on what comes."""
        self._discarding = True
        self._consumed = self._highest
        self._blocks.clear()
        self._received.clear()

    def _keep(self, start: int, stop: int, data: memoryview) -> None:
        for first, last in self._received._gaps(max(start, self._consumed), stop):
            self._store(first, data[first - start : last - start])
            self._received._insert(first, last)

    def _store(self, offset: int, data: memoryview) -> None:
        at, size = 0, len(data)
        while at < size:
            number, inner = divmod(offset + at, BLOCK_SIZE)
            block = self._blocks.get(number)
            if block is None:
                block = self._blocks[number] = bytearray(BLOCK_SIZE)
            step = min(BLOCK_SIZE - inner, size - at)
            block[inner : inner + step] = data[at : at + step]
            at += step

    def _pieces(self, start: int, stop: int) -> list[memoryview]:
        pieces = []
        while start < stop:
            number, inner = divmod(start, BLOCK_SIZE)
            step = min(BLOCK_SIZE - inner, stop - start)
            pieces.append(memoryview(self._blocks[number])[inner : inner + step])
            start += step
        return pieces

    def _consume(self, size: int) -> None:
        first = self._consumed // BLOCK_SIZE
        self._received._cut(self._consumed, self._consumed + size)
        self._consumed += size
        if not self._received._starts:  # an idle stream holds no block
            self._blocks.clear()
            return
        for number in range(first, self._consumed // BLOCK_SIZE):
            del self._blocks[number]
        tail = self._consumed // BLOCK_SIZE
        if self._received._starts[0] >= (tail + 1) * BLOCK_SIZE:
            self._blocks.pop(tail, None)


def check_final_size(highest: int, final_size: int | None, stop: int, fin: bool) -> None:
    """ProtocolError(FINAL_SIZE_ERROR) if data up to `stop`, the end if `fin`, contradicts what is known."""
    if final_size is not None and (stop > final_size or (fin and stop != final_size)):
        raise ProtocolError(FINAL_SIZE_ERROR, "final size changed or passed")
    if fin and stop < highest:
        raise ProtocolError(FINAL_SIZE_ERROR, "final size below the data received")
