"""One direction between two nodes: decides for each datagram when it arrives, how often, and in what state.

Owns: the faults and their dice. May not know: what a datagram means.
"""

from __future__ import annotations

import math
from random import Random

from fastmux.constants import MAX_UDP_PAYLOAD
from network.conditions import Conditions


class Link:
    """Counts what passed and what was lost. `conditions` may be replaced at any time."""

    def __init__(self, conditions: Conditions, random: Random) -> None:
        self.conditions = conditions
        self.sent = 0
        self.lost = 0
        self.sent_size = 0
        self.largest = 0
        self._random = random
        self._free_at = 0.0
        self._last_at = 0.0

    def carry(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        """Give the arrivals `(time, bytes)` of one datagram that is sent now."""
        index = self.sent
        self.sent += 1
        self.sent_size += len(data)
        self.largest = max(self.largest, len(data))
        conditions, random = self.conditions, self._random
        departed = self._serialise(len(data), now)
        # All dice are thrown for every datagram: a fault less changes nothing for the datagrams after it.
        lost = random.random() < conditions.loss
        jitter = random.random() * conditions.jitter
        late = random.random() < conditions.reordering
        extra = random.random() * conditions.reordering_delay
        twice = random.random() < conditions.duplication
        twice_delay = random.random() * conditions.reordering_delay
        damaged = random.random() < conditions.damage
        lost |= conditions.is_dark(now) or len(data) > conditions.mtu_at(now)
        lost |= bool(conditions.loss_mask >> index & 1)
        if lost or departed is None:
            self.lost += 1
            return []
        at = departed + conditions.delay + jitter
        if conditions.coalescing:
            at = math.ceil(at / conditions.coalescing) * conditions.coalescing
        if late:
            at += extra
        else:
            at = self._last_at = max(at, self._last_at)
        if damaged:
            data = self._damage(data)
        arrivals = [(at, data)]
        if twice:
            arrivals.append((at + twice_delay, data))
        return arrivals

    def queue_delay(self, now: float) -> float:
        """How long a datagram that is sent now would wait for those before it."""
        return max(self._free_at - now, 0.0)

    def _serialise(self, size: int, now: float) -> float | None:
        """When the last bit leaves, None if the queue is full."""
        rate = self.conditions.rate
        if rate is None:
            return now
        start = max(now, self._free_at)
        if (start - now) * rate > self.conditions.queue_size:
            return None
        self._free_at = start + size / rate
        return self._free_at

    def _damage(self, data: bytes) -> bytes:
        random = self._random
        kind = random.randrange(3)
        if kind == 0:
            return data[: random.randrange(len(data))] or b"\0"
        if kind == 1:
            return (data + random.randbytes(random.randint(1, 64)))[:MAX_UDP_PAYLOAD]
        changed = bytearray(data)
        changed[random.randrange(len(data))] ^= random.randint(1, 255)
        return bytes(changed)
