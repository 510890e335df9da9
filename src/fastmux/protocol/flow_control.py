"""How much credit a peer gets (RFC 9000 §4; docs/core.md, Credit).

Owns: the window of one channel or of the connection, and when it grows. May not know: frames, channels, what
a byte is. The core says when credit is worth giving; this says how much.
"""

from __future__ import annotations

from typing import Final

_FAST_ROUND_TRIPS: Final = 2
# On a short path the turns of loop and application, not the round trip, decide. Up to an ample window they
# get time enough for a slow core; beyond it a window larger than a millisecond's worth only makes a queue.
_FAST_TIME: Final = 0.010
_AMPLE: Final = 2**20
_FAST_TIME_BEYOND: Final = 0.001


class WindowPolicy:
    """Doubles a window when half of it was used up within two round trips. Sizes are bytes.

    A channel's limit is `consumed + window`. The connection's is `charged + window`, so that bytes
    which stalled channels leave unread do not hold up the others, but at most `consumed + budget`: what
    is held unread never passes `budget`.
    Invariant: `window` never shrinks and stays within `maximum`; a limit never falls.
    """

    __slots__ = ("_budget", "_maximum", "_raised_at", "window")

    def __init__(self, initial: int, maximum: int, budget: int | None = None) -> None:
        self.window = initial
        self._maximum = max(initial, maximum)
        self._budget = budget  # None: a channel
        self._raised_at: float | None = None

    def next_limit(
        self, consumed: int, charged: int, limit: int, now: float, round_trip: float, most: int
    ) -> tuple[int, int]:
        """Return `(limit, window)` for `DataPath.set_limit`, from an entry of `take_credit()`.

        The window does not grow beyond `most`. The first call only starts the clock. The limit comes back
        unchanged if `budget` allows no more.
        """
        new_limit = self._limit(consumed, charged)
        if new_limit <= limit:
            return limit, self.window
        turn = _FAST_TIME if self.window < _AMPLE else _FAST_TIME_BEYOND
        fast = max(_FAST_ROUND_TRIPS * round_trip, turn)
        is_fast = self._raised_at is not None and now - self._raised_at < fast
        # `take_credit` lists after half a window, but after any reading once `budget` held a raise back.
        if is_fast and 2 * (new_limit - limit) >= self.window:
            self.window = max(self.window, min(2 * self.window, self._maximum, most))
            new_limit = self._limit(consumed, charged)
        self._raised_at = now
        return new_limit, self.window

    def _limit(self, consumed: int, charged: int) -> int:
        if self._budget is None:
            return consumed + self.window
        return min(charged + self.window, consumed + self._budget)
