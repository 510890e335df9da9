"""When a connection has been silent for too long (RFC 9000 §10.1).

Owns: the idle timeout and the keep-alive that prevents it. May not know: packets, timers.
"""

from __future__ import annotations

from typing import Final

_MIN_PTOS: Final = 3  # RFC 9000 §10.1: probes get their chance first


class IdleTimer:
    """Times are seconds; a timeout of None (0 on the wire) never fires.

    `pto` is set by the owner when the round trip becomes known.
    Invariant: the timer runs from the last packet received. `_asked_at` is when the first ack-eliciting
    packet since then was sent, None if none was. Without keep-alives, that may be late, so the timer begins
    anew with it (RFC 9000 §10.1). With them it goes after half a timeout at the latest, and beginning anew
    would only put off when a dead peer is noticed: then the probes of that packet get their time, no more.
    """

    __slots__ = (
        "_active_at",
        "_asked_at",
        "_heard_at",
        "_keep_alive",
        "_smaller",
        "_timeout",
        "pto",
    )

    def __init__(self, timeout: float | None, keep_alive: float | None) -> None:
        self.pto = 0.0
        self._timeout = timeout or None
        self._smaller = self._timeout
        self._keep_alive = keep_alive
        self._heard_at: float | None = None
        self._active_at: float | None = None
        self._asked_at: float | None = None

    def set_peer_timeout(self, timeout: float | None) -> None:
        """Take the peer's own timeout; the smaller of both counts, as either end may go silently."""
        timeouts = [value for value in (self._timeout, timeout) if value]
        self._smaller = min(timeouts, default=None)

    @property
    def timeout(self) -> float | None:
        """The timeout in force."""
        timeout = self._smaller
        return None if timeout is None else max(timeout, _MIN_PTOS * self.pto)

    @property
    def deadline(self) -> float | None:
        """When the connection is idle for too long; None before anything was sent or received."""
        timeout = self.timeout
        if timeout is None or self._heard_at is None:
            return None
        at = self._heard_at + timeout
        if self._asked_at is None:
            return at
        return max(at, self._asked_at + (timeout if self._keep_alive is None else _MIN_PTOS * self.pto))

    @property
    def keep_alive_at(self) -> float | None:
        """When to send a PING: after `keep_alive` without traffic, or half the timeout if that is less."""
        if self._keep_alive is None or self._active_at is None:
            return None
        timeout = self.timeout
        interval = self._keep_alive if timeout is None else min(self._keep_alive, timeout / 2)
        return self._active_at + interval

    def on_received(self, now: float) -> None:
        """A packet was received and authenticated."""
        self._heard_at = self._active_at = now
        self._asked_at = None

    def on_sent_eliciting(self, now: float) -> None:
        """An ack-eliciting packet was sent."""
        self._active_at = now
        if self._heard_at is None:
            self._heard_at = now
        if self._asked_at is None:
            self._asked_at = now
