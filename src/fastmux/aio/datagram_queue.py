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
    is their sum.
    """

    def __init__(self) -> None:
        self._queue: deque[bytes] = deque()
        self._size = 0
        self.dropped = 0  # datagrams that had to make room

    def __len__(self) -> int:
        return len(self._queue)

    def extend(self, datagrams: Iterable[bytes]) -> None:
        """Take datagrams; the oldest make room for the newest."""
        for datagram in datagrams:
            self._queue.append(datagram)
            self._size += len(datagram)
        while len(self._queue) > MAX_DATAGRAM_QUEUE or self._size > MAX_DATAGRAM_QUEUE_SIZE:
            self.pop()
            self.dropped += 1

    def pop(self) -> bytes:
        """Give the oldest. Raises IndexError if there is none."""
        datagram = self._queue.popleft()
        self._size -= len(datagram)
        return datagram
