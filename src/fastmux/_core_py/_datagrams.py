"""Unreliable datagrams (RFC 9221), both ways.

Owns: the two bounded queues. May not know: packets, who reads.
"""

from __future__ import annotations

from collections import deque

from fastmux.constants import MAX_DATAGRAM_QUEUE, MAX_DATAGRAM_QUEUE_SIZE
from fastmux.exceptions import MessageTooBig


class DatagramQueue:
    """First in, first out; at most MAX_DATAGRAM_QUEUE datagrams of MAX_DATAGRAM_QUEUE_SIZE bytes in all."""

    __slots__ = ("dropped", "items", "size")

    def __init__(self) -> None:
        self.items: deque[bytes] = deque()
        self.size = 0
        self.dropped = 0

    def append(self, data: bytes) -> bool:
        """False if there is no room: the datagram is dropped and counted."""
        if len(self.items) >= MAX_DATAGRAM_QUEUE or self.size + len(data) > MAX_DATAGRAM_QUEUE_SIZE:
            self.dropped += 1
            return False
        self.items.append(data)
        self.size += len(data)
        return True

    def popleft(self) -> bytes:
        """The oldest one; IndexError if there is none."""
        data = self.items.popleft()
        self.size -= len(data)
        return data


class Datagrams:
    """Both directions of one connection."""

    __slots__ = ("incoming", "max_received", "max_sent", "outgoing")

    def __init__(self, max_received: int) -> None:
        self.max_received = max_received  # the largest payload that we take; 0: none
        self.max_sent = 0  # the largest that the peer takes
        self.incoming = DatagramQueue()
        self.outgoing = DatagramQueue()

    def send(self, data: bytes) -> bool:
        """False if there is no room; MessageTooBig above what the peer takes."""
        if len(data) > self.max_sent:
            raise MessageTooBig("the datagram is larger than the peer takes")
        return self.outgoing.append(data)

    def take(self) -> list[bytes]:
        """What came since the last call."""
        taken = list(self.incoming.items)
        self.incoming.items.clear()
        self.incoming.size = 0
        return taken
