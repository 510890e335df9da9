"""How much more than expected acknowledgements bring at once (draft-ietf-ccwg-bbr-06 §5.5.9).

Owns: the estimate. May not know: why (trains, Wi-Fi, a receiver that waits); states.
"""

from __future__ import annotations

from collections import deque
from typing import Final

_ROUNDS: Final = 10  # ExtraAckedFilterLen
_STARTUP_ROUNDS: Final = 1  # in Startup the rate changes with each round


class ExtraAcked:
    """The most of the last rounds, bytes: what the window must hold beyond the rate, to bridge the silences.

    Invariant: rounds ascend and sizes descend in `_maxima`, which holds at most one entry a round.
    """

    __slots__ = ("_acked_size", "_maxima", "_started_at")

    def __init__(self) -> None:
        self._started_at = 0.0
        self._acked_size = 0
        self._maxima: deque[tuple[int, float]] = deque()

    @property
    def value(self) -> float:
        """The estimate, 0 before any."""
        return self._maxima[0][1] if self._maxima else 0.0

    def restart(self, now: float) -> None:
        """The flow begins again after silence."""
        self._started_at = now
        self._acked_size = 0

    def on_acked(
        self, size: int, bandwidth: float, window: float, now: float, *, rounds: int, is_startup: bool
    ) -> None:
        """Take `size` bytes newly acknowledged in the round that is number `rounds`."""
        expected = bandwidth * (now - self._started_at)
        if self._acked_size <= expected:
            self.restart(now)
            expected = 0.0
        self._acked_size += size
        extra = min(self._acked_size - expected, window)
        while self._maxima and self._maxima[-1][1] <= extra:
            self._maxima.pop()
        if not self._maxima or self._maxima[-1][0] != rounds:
            self._maxima.append((rounds, extra))
        oldest = rounds - (_STARTUP_ROUNDS if is_startup else _ROUNDS)
        while self._maxima[0][0] < oldest:
            self._maxima.popleft()
