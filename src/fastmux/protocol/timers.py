"""One timer for many connections: a heap that is looked at lazily.

Owns: which connection is due when. May not know: what it is due for.
"""

from __future__ import annotations

import heapq
from typing import Generic, Protocol, TypeVar


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
    the next one; for each item not in `_changed` it is at or before the item's deadline.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Item]] = []
        self._stacks: dict[Item, list[float]] = {}
        self._changed: dict[Item, None] = {}
        self._pushes = 0  # breaks ties, so that items are never compared and order is repeatable

    def add(self, item: Item) -> None:
        """Look after this item from now on."""
        self._stacks[item] = []
        self._changed[item] = None

    def discard(self, item: Item) -> None:
        """Forget it; entries that are left in the heap mean nothing."""
        self._stacks.pop(item, None)
        self._changed.pop(item, None)

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
        return None

    def take_due(self, now: float) -> list[Item]:
        """Give the items whose deadline is at or before `now`, the earliest first, each once."""
        self._push_changed()
        due: dict[Item, None] = {}
        while self._heap and self._heap[0][0] <= now:
            at, _, item = heapq.heappop(self._heap)
            if not self._is_current(at, item):
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

    def _push_changed(self) -> None:
        for item in self._changed:
            deadline = item.deadline()
            stack = self._stacks[item]
            if deadline is not None and (not stack or deadline < stack[-1]):
                stack.append(deadline)
                self._pushes += 1
                heapq.heappush(self._heap, (deadline, self._pushes, item))
        self._changed.clear()
