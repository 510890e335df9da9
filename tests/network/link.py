"""One direction between two nodes: decides for each datagram when it arrives, how often, and in what state.

Owns: the faults and their dice. May not know: what a datagram means.
"""

from __future__ import annotations

import math
from random import Random

from fastmux.constants import MAX_UDP_PAYLOAD
from network.conditions import Conditions

REPLAY_DELAY_MIN = 0.001  # seconds
MAX_BURST_TIME = 2.0  # seconds: who sends seldom is not in one burst for minutes


class Link:
    """Counts what passed and what was lost. `conditions` may be replaced at any time.

    Bursts and replays have dice of their own, `more`: the others fall as if these faults did not exist.
    """

    def __init__(self, conditions: Conditions, random: Random, more: Random | None = None) -> None:
        self.conditions = conditions
        self.sent = 0
        self.lost = 0
        self.sent_size = 0
        self.largest = 0
        self._random = random
        self._more = more or Random(0)
        self._bad_until = 0.0  # a burst is under way
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
        again = self._throw_more(conditions, now) if conditions.burst_start or conditions.replay else None
        if lost or departed is None or (again is not None and again < 0):
            self.lost += 1
            return []
        if conditions.clogged:
            departed = conditions.unclogged_at(departed)
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
        if again:
            arrivals.append((at + again, data))
        return arrivals

    def _throw_more(self, conditions: Conditions, now: float) -> float:
        """After how many seconds a copy follows: 0 if none does, -1 if a burst takes the datagram itself."""
        random = self._more.random
        change, taken, copied, after = random(), random(), random(), random()
        if now < self._bad_until:
            self._bad_until = now if change < conditions.burst_stop else self._bad_until
        elif change < conditions.burst_start:
            self._bad_until = now + MAX_BURST_TIME
        if now < self._bad_until and taken < conditions.burst_loss:
            return -1.0
        shortest = min(REPLAY_DELAY_MIN, conditions.replay_delay)
        delay: float = shortest * (conditions.replay_delay / shortest) ** after
        return delay if copied < conditions.replay else 0.0

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
