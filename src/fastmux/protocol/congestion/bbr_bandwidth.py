"""How fast the path delivers, as BBR sees it (draft-ietf-ccwg-bbr-06 §5.3.1.2, §5.5.1 to §5.5.6).

Owns: packet-timed rounds, the bandwidth filter, the full-pipe estimate. May not know: states, windows, loss.
"""

from __future__ import annotations

from typing import Final

_FULL_GROWTH: Final = 1.25  # a rate that grew by less has not grown
_FULL_ROUNDS: Final = 3  # so many rounds without growth, and the pipe is full


class Rounds:
    """Round trips told by packets: one is over when a packet sent after its start is acknowledged (§5.5.1).

    Counted so, neither idle time nor a slow timer lets a round pass. Sizes are bytes delivered.
    """

    __slots__ = ("_over_at", "count", "is_start")

    def __init__(self) -> None:
        self.count = 0
        self.is_start = False  # the last sample ended a round
        self._over_at = 0

    def on_sample(self, prior_delivered: int, delivered: int) -> None:
        """Take a sample: what was delivered when its packet was sent, and now."""
        self.is_start = prior_delivered >= self._over_at
        if self.is_start:
            self.count += 1
            self.restart(delivered)

    def restart(self, delivered: int) -> None:
        """Let a round begin here."""
        self._over_at = delivered


class MaxBandwidth:
    """The highest delivery rate of this ProbeBW cycle and the one before, bytes a second (§5.5.3)."""

    __slots__ = ("_before", "_current")

    def __init__(self) -> None:
        self._before = 0.0
        self._current = 0.0

    @property
    def value(self) -> float:
        """The highest rate, 0 before any sample."""
        return max(self._before, self._current)

    def on_sample(self, rate: float, is_app_limited: bool) -> None:
        """Take a sample. One that the application kept low says nothing unless it is the highest (§5.5.4)."""
        if rate >= self.value or not is_app_limited:
            self._current = max(self._current, rate)

    def advance(self) -> None:
        """A cycle has had its probe. One that measured nothing does not push out the one before."""
        if self._current:
            self._before, self._current = self._current, 0.0


class FullPipe:
    """Whether sending faster still gets more across (§5.3.1.2). `was_reached` is true for good once set."""

    __slots__ = ("_rate", "_rounds", "is_full", "was_reached")

    def __init__(self) -> None:
        self.was_reached = False
        self.is_full = False
        self._rate = 0.0
        self._rounds = 0

    def restart(self, rate: float = 0.0) -> None:
        """Ask anew, from this rate on."""
        self.is_full = False
        self._rate = rate
        self._rounds = 0

    def on_round(self, rate: float) -> None:
        """A round is over whose rate, bytes a second, only the path limited."""
        if self.is_full:
            return
        if rate >= self._rate * _FULL_GROWTH:
            self.restart(rate)
            return
        self._rounds += 1
        if self._rounds >= _FULL_ROUNDS:
            self.is_full = self.was_reached = True
