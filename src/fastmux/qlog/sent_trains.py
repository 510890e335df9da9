"""What became of the trains sent: which of their last numbers were acknowledged, which trains lost packets.

Owns: the trains of which that is not known yet. May not know: files and the form of records, what is in a
packet.

The core tells once a batch how far acknowledgements reach, how many packets were lost and the largest number
of them. Below the largest number acknowledged every packet is acknowledged, lost or, for a while, neither:
so what is not lost there is acknowledged. Where losses were one run their numbers follow; of several runs
only the newest packet is known. Then nothing is said of what may have been lost.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from fastmux import constants as c
from fastmux.protocol.observer import Train

_MASK = 2**32 - 1  # numbers are those of headers
_HALF = 2**31


class Outcome(NamedTuple):
    """What a batch made of the packets sent.

    `lost` packets are newly lost, in so many `runs` of neighbours, the newest of them `largest_lost`.
    `is_settled`: none below `largest_acked` is still neither acknowledged nor lost.
    """

    largest_acked: int
    is_settled: bool
    lost: int
    runs: int
    largest_lost: int

    def may_have_lost(self, number: int) -> bool:
        """True if `number`, of 32 bits, may be among the lost."""
        if not self.lost or number == self.largest_acked & _MASK:
            return False
        below = _distance(number, self.largest_lost & _MASK)
        return below >= 0 and (self.runs > 1 or below < self.lost)


class Losses(NamedTuple):
    """So many packets, about `size` bytes, of the train whose last number is `last` were lost."""

    last: int
    packets: int
    size: int


class _Waiting:
    """A train, and whether its last number is decided: told as acknowledged, or perhaps lost."""

    __slots__ = ("is_decided", "train")

    def __init__(self, train: Train) -> None:
        self.train = train
        self.is_decided = False


class SentTrains:
    """Invariant: `_waiting` are trains in the order sent, at most `limit`, none of which is known to be
    settled whole: all of its packets acknowledged or lost.
    """

    def __init__(self, limit: int = c.QLOG_MAX_TRAINS) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._limit = limit

    def add(self, train: Train) -> bool:
        """A train was sent. False if there is no room: then the oldest is forgotten, and never told of."""
        has_room = len(self._waiting) < self._limit
        if not has_room:
            self._waiting.popleft()
        self._waiting.append(_Waiting(train))
        return has_room

    def clear(self) -> None:
        """Of all that was sent nothing will be told any more."""
        self._waiting.clear()

    def lost(self, outcome: Outcome) -> list[Losses]:
        """The trains that lost packets, oldest first.

        Of several runs all are said to be of the train of the largest number lost, the only one known. What
        else belongs to no train that is known is said to be of the oldest. Empty if there is none.
        """
        if not outcome.lost:
            return []
        stop = (outcome.largest_lost + 1) & _MASK
        size = outcome.lost if outcome.runs == 1 else 1
        found: list[tuple[Train, int]] = []
        for waiting in self._waiting:
            train = waiting.train
            # counted back from `stop`: how far this train's first packet and the end of its last are
            newest = max(_distance(train.last + 1, stop), 0)
            oldest = min(_distance(train.first, stop), size)
            if oldest > newest:
                found.append((train, oldest - newest))
        if found:
            train, packets = found[0]
            found[0] = train, packets + outcome.lost - sum(packets for _, packets in found)
        return [Losses(train.last, lost, train.size * lost // train.packets) for train, lost in found]

    def acked(self, outcome: Outcome) -> list[int]:
        """The last numbers of trains that are newly known to be acknowledged, ascending.

        Trains that are settled whole are forgotten.
        """
        largest = outcome.largest_acked & _MASK
        found = []
        kept = []
        while self._waiting and _distance(self._waiting[0].train.last, largest) >= 0:
            waiting = self._waiting.popleft()
            distance = _distance(waiting.train.last, largest)
            is_known = outcome.is_settled or distance >= c.K_PACKET_THRESHOLD or distance == 0
            if outcome.may_have_lost(waiting.train.last):
                waiting.is_decided = True
            elif is_known and not waiting.is_decided:
                waiting.is_decided = True
                found.append(waiting.train.last)
            if not outcome.is_settled and distance < c.K_PACKET_THRESHOLD:
                kept.append(waiting)  # one of its packets may still be lost
        self._waiting.extendleft(reversed(kept))
        return found


def _distance(number: int, other: int) -> int:
    """How far `number` is below `other`, both of 32 bits; negative if it is above."""
    return (other - number + _HALF & _MASK) - _HALF
