"""Unreliable datagrams between their arrival and `receive_datagram`.

Owns: the queue and its bound. May not know: where they come from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from fastmux.constants import MAX_DATAGRAM_QUEUE, MAX_DATAGRAM_QUEUE_SIZE


class DatagramQueue:
    """Keeps the newest datagrams that fit.

    Invariant: at most MAX_DATAGRAM_QUEUE datagrams of together at most MAX_DATAGRAM_QUEUE_SIZE bytes; `_size`
    is their sum. There is no deque before the first one: an empty one costs 760 bytes.
    """

    __slots__ = ("_queue", "_size", "dropped")

    def __init__(self) -> None:
        self._queue: deque[bytes] | None = None
        self._size = 0
        self.dropped = 0  # datagrams that had to make room

    def __len__(self) -> int:
        return 0 if self._queue is None else len(self._queue)

    def extend(self, datagrams: Iterable[bytes]) -> None:
        """Take datagrams; the oldest make room for the newest."""
        if self._queue is None:
            self._queue = deque()
        for datagram in datagrams:
            self._queue.append(datagram)
            self._size += len(datagram)
        while len(self._queue) > MAX_DATAGRAM_QUEUE or self._size > MAX_DATAGRAM_QUEUE_SIZE:
            self.pop()
            self.dropped += 1

    def pop(self) -> bytes:
        """Give the oldest. Raises IndexError if there is none."""
        if self._queue is None:
            raise IndexError("no datagram is here")
        datagram = self._queue.popleft()
        self._size -= len(datagram)
        return datagram
