"""Asking whether anybody is there at the other end of a path (RFC 9000 §8.2).

Owns: the challenges that may still be answered, when the next one goes and when it is in vain. May not know:
packets, addresses, where random bytes come from.
"""

from __future__ import annotations

from typing import Final

from fastmux import constants as c

_INITIAL_PTO: Final = 3 * c.K_INITIAL_RTT  # of a path that nothing is known of (RFC 9002 §6.2.2)
_MIN_INTERVAL: Final = 0.02


class Validation:
    """Challenges go at once, after a PTO, and each time after twice as long. Times are seconds.

    Invariant: at most MAX_PATH_CHALLENGES challenges, the newest, can be answered. `is_due` is True from
    the moment a challenge should go until it has gone, and then nothing but `expires_at` is waited for.
    """

    __slots__ = ("_challenges", "_interval", "_next_at", "expires_at", "is_due")

    def __init__(self, pto: float, now: float) -> None:
        """`pto` is that of the path in use: three of these, or of a new path's, are time enough (§8.2.4)."""
        self.expires_at = now + c.PATH_VALIDATION_PTOS * max(pto, _INITIAL_PTO)
        self.is_due = True
        self._next_at = now
        self._interval = max(pto, _MIN_INTERVAL)
        self._challenges: tuple[bytes, ...] = ()

    def on_sent(self, data: bytes, now: float) -> None:
        """A challenge with these 8 bytes goes now."""
        self._challenges = (*self._challenges, data)[-c.MAX_PATH_CHALLENGES :]
        self.is_due = False
        self._next_at = now + self._interval
        self._interval *= 2

    def is_answer(self, data: bytes) -> bool:
        """True if a PATH_RESPONSE with these bytes answers a challenge."""
        return data in self._challenges

    def deadline(self) -> float:
        """When to call `handle_timeout`."""
        return self.expires_at if self.is_due else min(self._next_at, self.expires_at)

    def handle_timeout(self, now: float) -> None:
        """Let the next challenge go if its time has come."""
        if now >= self._next_at:
            self.is_due = True
