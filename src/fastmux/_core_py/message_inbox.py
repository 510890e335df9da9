"""Incoming messages of one channel (docs/wire-format.md §9, §10): partial, complete, in order.

Owns: what arrived until the application takes it, and what of it was charged and consumed. May not know:
packets, frames, the connection's credit. Rules of the wire are checked before anything comes here.
"""

from __future__ import annotations

from collections import deque

from fastmux._core_py.message_queue import unit_count
from fastmux._core_py.range_set import RangeSet
from fastmux._core_py.reassembler import Reassembler
from fastmux.constants import FRAGMENT_UNIT, MESSAGE_CHARGE, PARTIAL_CHARGE


# Invariant: an id is in at most one of `partial` and `done`; `done` holds every id that needs no more
# fragments: whole, taken, abandoned or discarded. `complete` holds whole messages that wait for an earlier
# one (or for OPEN to tell whether there is an order), `ready` those that may be taken. While not reset,
# charged - consumed is 128 times the units of the messages in `partial`, `complete` and `ready`.
class MessageInbox:
    """Incoming messages; each whole one is given once."""

    __slots__ = (
        "_complete",
        "_is_reset",
        "_next_id",
        "_ready",
        "charged",
        "consumed",
        "discarding",
        "done",
        "final_count",
        "held_size",
        "next_unseen",
        "ordered",
        "partial",
        "partial_spans",
    )

    def __init__(self, ordered: bool | None) -> None:
        self.ordered = ordered  # None until OPEN tells
        self.partial: dict[int, tuple[Reassembler, int]] = {}
        self.done = RangeSet()
        self._complete: dict[int, bytes] = {}
        self._ready: deque[bytes] = deque()
        self._next_id = 0  # the next one to be delivered in order
        self.next_unseen = 0  # above every id seen
        self.final_count: int | None = None
        self.charged = self.consumed = self.held_size = self.partial_spans = 0
        self.discarding = self._is_reset = False

    @property
    def span_count(self) -> int:
        """Disjoint runs of units and of done ids: what hostile gaps could grow."""
        return self.partial_spans + len(self.done)

    @property
    def message_charge(self) -> int:
        """What messages that are not taken take beside their bytes."""
        whole = len(self._complete) + len(self._ready)
        return PARTIAL_CHARGE * len(self.partial) + MESSAGE_CHARGE * whole

    @property
    def has_ready(self) -> bool:
        """True if a message can be taken."""
        return bool(self._ready)

    @property
    def ready_size(self) -> int:
        """Bytes of the messages that can be taken."""
        return sum(map(len, self._ready))

    @property
    def is_finished(self) -> bool:
        """True when every message of the direction was taken, abandoned or discarded."""
        return self._is_reset or (
            self.final_count is not None and self.done._covered == self.final_count and not self._ready
        )

    def count_of(self, message_id: int) -> int | None:
        """Fragments of a partial message, 0 of one never seen, None of one that is done."""
        known = self.partial.get(message_id)
        if known is not None:
            return known[1]
        return None if message_id in self.done else 0

    def receive(self, message_id: int, index: int, count: int, data: bytes) -> None:
        """Takes a run of units."""
        if self._is_reset or message_id in self.done:
            return
        known = self.partial.get(message_id)
        if known is None:
            self._see(message_id, count)
            if self.discarding:
                self.consumed += count * FRAGMENT_UNIT
                self.done._insert(message_id, message_id + 1)
                return
            if index == 0 and unit_count(len(data)) == count:
                self.held_size += len(data)
                self._deliver(message_id, data)
                return
            known = self.partial[message_id] = (Reassembler(count), count)
        reassembler = known[0]
        self._count(reassembler, -1)
        reassembler.add(index, data)
        if reassembler.is_complete:
            del self.partial[message_id]
            message = reassembler.take()
            self.held_size += len(message)
            self._deliver(message_id, message)
        else:
            self._count(reassembler, 1)

    def abandon(self, message_id: int, count: int) -> None:
        """The peer gave a message up: its credit returns, what came of it is dropped, later ones go on."""
        if self._is_reset or message_id in self.done:
            return
        known = self.partial.pop(message_id, None)
        if known is None:
            self._see(message_id, count)
        else:
            self._count(known[0], -1)
        self.consumed += count * FRAGMENT_UNIT
        self.done._insert(message_id, message_id + 1)
        self._advance()

    def finish(self, count: int) -> None:
        """The direction had `count` messages."""
        self.final_count = count
        self.next_unseen = max(self.next_unseen, count)

    def take(self) -> bytes | None:
        """The next message, None if there is none now."""
        if not self._ready:
            return None
        message = self._ready.popleft()
        self.consumed += unit_count(len(message)) * FRAGMENT_UNIT
        self.held_size -= len(message)
        return message

    def set_order(self, ordered: bool) -> None:
        """OPEN tells whether order matters: what came before it takes its place."""
        if self.ordered is None:
            self.ordered = ordered
            if not ordered:
                self._ready.extend(self._complete[message_id] for message_id in sorted(self._complete))
                self._complete.clear()
            self._advance()

    def discard(self) -> None:
        """Drops what is held, and from now on what comes."""
        self.discarding = True
        for message_id in self.partial:
            self.done._insert(message_id, message_id + 1)
        self._drop()
        self.consumed = self.charged

    def reset(self, count: int, charged: int) -> None:
        """The peer reset the direction after `count` messages that were charged `charged` in all."""
        self.finish(count)
        self._is_reset = True
        self._drop()
        self.done.clear()
        self.charged = self.consumed = charged

    def _see(self, message_id: int, count: int) -> None:
        self.next_unseen = max(self.next_unseen, message_id + 1)
        self.charged += count * FRAGMENT_UNIT

    def _count(self, reassembler: Reassembler, sign: int) -> None:
        self.held_size += sign * reassembler.held_size
        self.partial_spans += sign * reassembler.span_count

    def _deliver(self, message_id: int, message: bytes) -> None:
        self.done._insert(message_id, message_id + 1)
        if self.ordered is False:
            self._ready.append(message)
            return
        self._complete[message_id] = message
        self._advance()

    def _advance(self) -> None:
        """Moves the messages whose turn has come to `ready`, past abandoned ids."""
        while self.ordered and self._next_id in self.done:
            message = self._complete.pop(self._next_id, None)
            if message is not None:
                self._ready.append(message)
            self._next_id += 1

    def _drop(self) -> None:
        self.partial.clear()
        self._complete.clear()
        self._ready.clear()
        self.held_size = self.partial_spans = 0
