"""How much useless work a peer may cause: empty frames, no-op updates, data for dead channels (H22).

Owns: one token bucket. May not know: what a glitch was.
"""

from __future__ import annotations

from fastmux.constants import GLITCH_BURST, GLITCH_RATE


class GlitchLimit:
    """Forgives `burst` glitches at once, `rate` a second, and one for each packet that brought something.

    The last is for retransmissions that turn out to be spurious: on a path that reorders they bring nothing
    new, at any packet rate, but they are never the larger part of what comes.

    Invariant: `0 <= tokens <= burst` until the limit is passed, which is final.
    """

    __slots__ = ("_added_at", "_burst", "_rate", "_tokens", "is_exceeded")

    def __init__(self, burst: int = GLITCH_BURST, rate: float = GLITCH_RATE) -> None:
        self.is_exceeded = False
        self._burst = burst
        self._rate = rate
        self._tokens = float(burst)
        self._added_at: float | None = None

    def add(self, count: int, now: float, useful_packets: int = 0) -> bool:
        """Charge `count` new glitches. Return True once the limit is passed: close with GLITCH_LIMIT."""
        if self._added_at is not None:
            refill = max(now - self._added_at, 0.0) * self._rate + useful_packets
            self._tokens = min(self._tokens + refill, self._burst)
            now = max(now, self._added_at)  # a clock that went back gives no time twice
        self._added_at = now
        if count > self._tokens:
            self.is_exceeded = True
        self._tokens = max(self._tokens - count, 0.0)
        return self.is_exceeded
