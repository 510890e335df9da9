"""How fast trains of datagrams leave (RFC 9002 §7.7).

Owns: a token bucket that opens for whole trains. May not know: timers, packets, who sets the rate.
"""

from __future__ import annotations

from typing import Final

from fastmux.constants import MAX_TRAIN_SIZE
from fastmux.protocol.congestion.base import initial_window

_BURST_TIME: Final = 0.002  # what an event loop that looked away for so long may make up for
_TIMER_GRANULARITY: Final = 0.001  # no wake-up nearer than this: a loop's timers are no finer


class Pacer:
    """Says how many bytes may go now. Sizes are bytes, `rate` is bytes a second, times are seconds.

    A wake-up less than a millisecond away is never asked for: what would accrue until then may go at once. So
    where a round trip is shorter than that (loopback, a LAN) a whole window always may, and no timer is
    needed; where the rate is high, trains are as long as the socket takes; where it is low, they are short.

    Invariant: `-(1 ms of rate) - one datagram <= tokens <= burst` when a budget is asked for, the burst
    being 2 ms of rate or an initial window (RFC 9002 §7.7), whichever is more. So what goes in any time T is
    at most `burst + rate * (T + 1 ms)`, probes beyond the budget apart.
    """

    __slots__ = ("_accrued_at", "_datagram_size", "_rate", "_tokens", "next_at")

    def __init__(self) -> None:
        self.next_at: float | None = None  # when to ask again, None if the last `budget` was not 0
        self._accrued_at: float | None = None
        self._rate = 0.0
        self._datagram_size = 0
        self._tokens = 0.0

    def budget(self, now: float, rate: float, congestion_window: int, datagram_size: int) -> int:
        """Return the bytes that may go now: whole datagrams, at most a window (or one datagram).

        0 until there is enough for a train worth sending; `next_at` then says when, at least 1 ms from now.
        """
        self._rate = rate
        self._datagram_size = datagram_size
        self._accrue(now)
        ahead = rate * _TIMER_GRANULARITY
        available = self._tokens + ahead
        train_size = max(min(ahead, MAX_TRAIN_SIZE, congestion_window), datagram_size)
        if available < train_size:
            self.next_at = now + max((train_size - available) / rate, _TIMER_GRANULARITY)
            return 0
        self.next_at = None
        available = min(available, max(congestion_window, datagram_size))
        return int(available) // datagram_size * datagram_size

    def on_sent(self, size: int, now: float) -> None:
        """Charge what went, probes beyond the budget too. Before the first `budget` nothing is paced."""
        if self._accrued_at is None:
            return
        if now != self._accrued_at:
            self._accrue(now)
        self._tokens -= size

    def _accrue(self, now: float) -> None:
        burst = max(initial_window(self._datagram_size), self._rate * _BURST_TIME)
        if self._accrued_at is None:
            self._tokens = burst
        else:
            self._tokens += max(now - self._accrued_at, 0.0) * self._rate
            now = max(now, self._accrued_at)  # a clock that went back gives no time twice
        # A debt made at a high rate must not be paid off at a low one.
        debt = self._rate * _TIMER_GRANULARITY + self._datagram_size
        self._tokens = min(max(self._tokens, -debt), burst)
        self._accrued_at = now
