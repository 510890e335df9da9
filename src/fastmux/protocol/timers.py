"""One timer for many connections: a heap that is looked at lazily.

Owns: which connection is due when. May not know: what it is due for.
"""

from __future__ import annotations

import heapq
from typing import Generic, Protocol, TypeVar

from fastmux.constants import MAX_STALE_ENTRIES, MAX_TIMER_ENTRIES


class Timed(Protocol):
    """Anything with a deadline that moves. Compared by identity."""

    def deadline(self) -> float | None:
        """When it wants to be called; None for never."""
        ...


Item = TypeVar("Item", bound=Timed)


class Timers(Generic[Item]):
    """Items by deadline.

    A deadline that moves later, as one does with every train, costs no heap operation: the old entry stays,
    is found too early, and the item is asked again. Only an earlier deadline is pushed.

    Invariant: `_stacks[item]` are the times of the item's entries in the heap, falling, so that its last is
    the next one; for each item not in `_changed` it is at or before the item's deadline. No stack has more
    than MAX_TIMER_ENTRIES. `_stale` counts the entries in no stack: more than MAX_STALE_ENTRIES are never the
    greater part of the heap.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Item]] = []
        self._stacks: dict[Item, list[float]] = {}
        self._changed: dict[Item, None] = {}
        self._stale = 0
        self._pushes = 0  # breaks ties, so that items are never compared and order is repeatable

    def add(self, item: Item) -> None:
        """Look after this item from now on."""
        self._stacks[item] = []
        self._changed[item] = None

    def discard(self, item: Item) -> None:
        """Forget it. Its entries in the heap mean nothing; they go when there are many, else when due."""
        self._stale += len(self._stacks.pop(item, ()))
        self._changed.pop(item, None)
        self._sweep()

    def __len__(self) -> int:
        """Entries held: one or a few of each item, and some that mean nothing any more."""
        return len(self._heap)

    def changed(self, item: Item) -> None:
        """Its deadline may have moved."""
        if item in self._stacks:
            self._changed[item] = None

    def deadline(self) -> float | None:
        """When to call `take_due`; None for never. It may be early, never late."""
        self._push_changed()
        while self._heap:
            at, _, item = self._heap[0]
            if self._is_current(at, item):
                return at
            heapq.heappop(self._heap)
            self._stale -= 1
        return None

    def take_due(self, now: float) -> list[Item]:
        """Give the items whose deadline is at or before `now`, the earliest first, each once."""
        self._push_changed()
        due: dict[Item, None] = {}
        while self._heap and self._heap[0][0] <= now:
            at, _, item = heapq.heappop(self._heap)
            if not self._is_current(at, item):
                self._stale -= 1
                continue
            self._stacks[item].pop()
            self._changed[item] = None
            deadline = item.deadline()
            if deadline is not None and deadline <= now:
                due[item] = None
        return list(due)

    def _is_current(self, at: float, item: Item) -> bool:
        stack = self._stacks.get(item)
        return bool(stack) and stack is not None and stack[-1] == at

    def _sweep(self) -> None:
        if self._stale > max(MAX_STALE_ENTRIES, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if entry[0] in self._stacks.get(entry[2], ())]
            heapq.heapify(self._heap)
            self._stale = 0

    def _push_changed(self) -> None:
        for item in self._changed:
            deadline = item.deadline()
            stack = self._stacks[item]
            if deadline is not None and (not stack or deadline < stack[-1]):
                if len(stack) == MAX_TIMER_ENTRIES:  # after the next one it is asked again anyway
                    self._stale += len(stack)
                    stack.clear()
                stack.append(deadline)
                self._pushes += 1
                heapq.heappush(self._heap, (deadline, self._pushes, item))
        self._changed.clear()
        self._sweep()
