"""Packets that an endpoint sends by itself, for no connection of its own: they wait here to be sent.

Owns: their queue. May not know: what they say.
"""

from __future__ import annotations

from collections import deque

from fastmux import constants as c
from fastmux.protocol.events import Address, Transmit


class Answers:
    """Invariant: at most MAX_ANSWERS are in `waiting`; who asks for more meanwhile gets none."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: deque[tuple[bytes, Address]] = deque()

    @property
    def has_room(self) -> bool:
        """True if one more may wait."""
        return len(self.waiting) < c.MAX_ANSWERS

    def add(self, packet: bytes, address: Address) -> None:
        """Have a packet sent; it is dropped if there is no room."""
        if self.has_room:
            self.waiting.append((packet, address))

    def transmit(self, buffer: bytearray | memoryview) -> Transmit | None:
        """Give the oldest one, None if none waits."""
        if not self.waiting:
            return None
        packet, address = self.waiting.popleft()
        buffer[: len(packet)] = packet
        return Transmit(len(packet), len(packet), address)
