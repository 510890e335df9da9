"""A direction with more bad luck than `Link` has: patterns of loss, late copies, blocks out of order.

Owns: what becomes of a datagram that a pattern hits. May not know: what a datagram means.
"""

from __future__ import annotations

from random import Random

from network.bursts import Pattern
from network.conditions import Conditions
from network.link import Link


class RoughLink(Link):
    """A `Link` whose patterns act after everything that its conditions do.

    `losses` are lost. Of each datagram that `flips` hits one byte is another one, and it is delivered: UDP's
    checksum is taken for mended, as it would have to be for the damage to reach anybody. A share `replays` of
    the datagrams comes once more, up to `replay_delay` seconds later. With `block` datagrams come in a random
    order within each so many, `gap` seconds apart. `passed_size` counts the bytes that got through.
    """

    def __init__(
        self,
        conditions: Conditions,
        random: Random,
        *,
        losses: Pattern | None = None,
        flips: Pattern | None = None,
        replays: float = 0.0,
        replay_delay: float = 60.0,
        block: int = 0,
        gap: float = 0.0,
    ) -> None:
        super().__init__(conditions, random)
        self.losses = losses
        self.flips = flips
        self.flipped = 0
        self.replayed = 0
        self.passed_size = 0
        self._replays = replays
        self._replay_delay = replay_delay
        self._block = block
        self._gap = gap
        self._places: list[int] = []
        # Dice of its own, drawn from the link's without a throw: those stay what they are.
        self._rough = Random(str(random.getstate()[1]))

    def carry(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        index = self.sent
        arrivals = super().carry(data, now)
        leaves_at = max(arrivals[0][0] - self.conditions.delay, now) if arrivals else now
        if self.losses is not None and self.losses.hits(index, leaves_at):
            self.lost += bool(arrivals)
            return []
        if self.flips is not None and self.flips.hits(index, leaves_at):
            arrivals = [(at, self._flip(arrived)) for at, arrived in arrivals]
            self.flipped += bool(arrivals)
        if self._block:
            late = self._lateness()
            arrivals = [(at + late, arrived) for at, arrived in arrivals]
        if arrivals and self._rough.random() < self._replays:
            self.replayed += 1
            at, arrived = arrivals[0]
            arrivals.append((at + self._rough.random() * self._replay_delay, arrived))
        if arrivals:
            self.passed_size += len(data)
        return arrivals

    def _flip(self, data: bytes) -> bytes:
        changed = bytearray(data)
        changed[self._rough.randrange(len(data))] ^= self._rough.randint(1, 255)
        return bytes(changed)

    def _lateness(self) -> float:
        """How much later the next datagram of a block comes, so that it takes the place that was drawn."""
        if not self._places:
            self._places = list(range(self._block))
            self._rough.shuffle(self._places)
        place = self._places.pop()
        own = self._block - 1 - len(self._places)
        return (place - own + self._block - 1) * self._gap
