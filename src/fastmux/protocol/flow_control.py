"""How much credit a peer gets (RFC 9000 §4; docs/core.md, Credit).

Owns: the window of one channel or of the connection, and when it grows. May not know: frames, channels, what
a byte is. The core says when credit is worth giving; this says how much.
"""

from __future__ import annotations

from typing import Final, NamedTuple

# On a short path the turns of loop and application, not the round trip, decide. Up to an ample window they
# get time enough for a slow core; beyond it a window larger than a millisecond's worth only makes a queue.
_NEAR_ROUND_TRIPS: Final = 2
_NEAR_TIME: Final = 0.010
_AMPLE: Final = 2**20
_NEAR_TIME_BEYOND: Final = 0.001
# On a long one a window of what was read in a round trip would be the limit itself; a half more and the half
# that is not given back yet. What is more is a queue on the path.
_FAR_READINGS: Final = 2.5


class Distance(NamedTuple):
    """How far the peer is: the round trip without queues, if that is short, the largest useful window."""

    round_trip: float
    is_near: bool
    most: int


class WindowPolicy:
    """Grows a window with what is read. Sizes are bytes, times seconds.

    A channel's limit is `consumed + window`. The connection's is `charged + window`, so that bytes
    which stalled channels leave unread do not hold up the others, but at most `consumed + budget`: what
    is held unread never passes `budget`.
    Invariant: `window` never shrinks and stays within `maximum`; a limit never falls. `_mark` is the moment
    from which what is read is counted, with `consumed` then.
    """

    __slots__ = ("_budget", "_mark", "_maximum", "_raised_at", "window")

    def __init__(self, initial: int, maximum: int, budget: int | None = None) -> None:
        self.window = initial
        self._maximum = max(initial, maximum)
        self._budget = budget  # None: a channel
        self._raised_at: float | None = None
        self._mark: tuple[float, int] | None = None

    def next_limit(
        self, consumed: int, charged: int, limit: int, now: float, distance: Distance
    ) -> tuple[int, int]:
        """Return `(limit, window)` for `DataPath.set_limit`, from an entry of `take_credit()`.

        The first call only starts the clock. The limit comes back unchanged if `budget` allows no more.
        """
        gain = self._limit(consumed, charged) - limit
        if gain <= 0:
            return limit, self.window
        if self.window < self._maximum and self.window < distance.most:
            if distance.is_near:
                wanted = self._for_near(gain, now, distance.round_trip)
            else:
                wanted = self._for_far(consumed, now, distance.round_trip)
            self.window = max(self.window, min(wanted, self._maximum, distance.most))
        self._raised_at = now
        return self._limit(consumed, charged), self.window

    def _for_near(self, gain: int, now: float, round_trip: float) -> int:
        """Twice the window if it is used up so fast that half of it lasts no longer than `fast`."""
        turn = _NEAR_TIME if self.window < _AMPLE else _NEAR_TIME_BEYOND
        fast = max(_NEAR_ROUND_TRIPS * round_trip, turn)
        # `take_credit` lists after a quarter to half a window, but after any reading once `budget` held back.
        if self._raised_at is None or 4 * gain < self.window:
            return self.window
        is_fast = now - self._raised_at < fast * min(2 * gain / self.window, 1)
        return 2 * self.window if is_fast else self.window

    def _for_far(self, consumed: int, now: float, round_trip: float) -> int:
        """So much as is read in some round trips, counted over one at least: bursts are no rate."""
        if self._mark is None:
            self._mark = (now, consumed)
        since, before = self._mark
        if now - since < round_trip:
            return self.window
        self._mark = (now, consumed)
        return int(_FAR_READINGS * round_trip * (consumed - before) / (now - since))

    def _limit(self, consumed: int, charged: int) -> int:
        if self._budget is None:
            return consumed + self.window
        return min(charged + self.window, consumed + self._budget)
