"""Which datagrams of one direction are hit: alone, in bursts, from a list, by a mask, for a time.

Owns: the patterns of bad luck. May not know: what becomes of a datagram that is hit (lost, damaged).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from math import inf
from random import Random
from typing import Protocol


class Pattern(Protocol):
    """Says of each datagram, in the order of sending, whether it is hit."""

    def hits(self, index: int, now: float) -> bool:
        """True if datagram `index` of this direction, which leaves now, is hit. Asked once for each."""
        ...


class Capped:
    """A share of all, but never more than `most` in a row: quic-network-simulator's "burst".

    The cap lowers the true share a little: of 0.3 with 3 to 0.295.
    """

    def __init__(self, share: float, most: int, random: Random) -> None:
        self._share = share
        self._most = most
        self._random = random
        self._row = 0

    def hits(self, index: int, now: float) -> bool:
        drawn = self._random.random() < self._share
        self._row = self._row + 1 if drawn and self._row < self._most else 0
        return self._row > 0


class GilbertElliott:
    """Good and bad times: all that leaves in a bad one is hit (Gilbert 1960, Elliott 1963).

    `share` of the time is bad, in bursts of `mean_burst` slots on average. A slot is `slot` seconds, such as
    a packet's time on the wire; with 0 it is a datagram, whenever the next one comes: silence ends no burst.
    """

    def __init__(self, share: float, mean_burst: float, random: Random, slot: float = 0.0) -> None:
        self._share = share
        self._leave = 1 / mean_burst
        self._enter = self._leave * share / (1 - share)
        self._random = random
        self._slot = slot
        self._last_at: float | None = None
        self._is_bad = False

    def hits(self, index: int, now: float) -> bool:
        slots = 1.0
        if self._slot:
            slots = 0.0 if self._last_at is None else max((now - self._last_at) / self._slot, 0.0)
            self._last_at = now
        # How a chain of two states is after so many steps.
        kept = max(1 - self._leave - self._enter, 0.0) ** slots
        bad = self._share + (self._is_bad - self._share) * kept
        self._is_bad = self._random.random() < bad
        return self._is_bad


class Listed:
    """Those numbers, the first datagram is number 0."""

    def __init__(self, indices: frozenset[int]) -> None:
        self._indices = indices

    def hits(self, index: int, now: float) -> bool:
        return index in self._indices


class Mask:
    """A mask of 64 bits, over and over, its lowest bit first, until a time: picoquic's `loss_mask`."""

    def __init__(self, mask: int, until: float) -> None:
        self._mask = mask
        self._until = until

    def hits(self, index: int, now: float) -> bool:
        return now < self._until and bool(self._mask >> index % 64 & 1)


class Range:
    """The numbers from `start` to `stop` that leave before `until`; all of it may change at any time."""

    def __init__(self) -> None:
        self.start = self.stop = 0
        self.until = inf

    def hits(self, index: int, now: float) -> bool:
        return self.start <= index < self.stop and now < self.until


class When:
    """All that a function says."""

    def __init__(self, is_hit: Callable[[int, float], bool]) -> None:
        self._is_hit = is_hit

    def hits(self, index: int, now: float) -> bool:
        return self._is_hit(index, now)


def flaps(start: float, lit: float, dark: float, duration: float) -> tuple[tuple[float, float], ...]:
    """Dark periods `(start, stop)` of a path that is lit and dark in turn, lit first."""
    return tuple(_flaps(start, lit, dark, duration))


def _flaps(start: float, lit: float, dark: float, duration: float) -> Iterator[tuple[float, float]]:
    for turn in count():
        dark_at = start + turn * (lit + dark) + lit
        if dark_at >= start + duration:
            return
        yield dark_at, dark_at + dark
