"""The frame that loss-based controllers share: slow start and recovery periods (RFC 9002 §7.3).

Owns: the window, `ssthresh` and when a loss is a new congestion event. May not know: how an algorithm grows
its window in congestion avoidance, or by how much it gives way.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from fastmux.protocol.congestion import base
from fastmux.protocol.rtt import RttEstimator
from fastmux.records import AckSummary


class LossBasedController(ABC):
    """A window that grows with acknowledgements and gives way once per recovery period.

    Invariant: `congestion_window >= minimum_window`, and it shrinks only by `_reduce` (at most once for all
    packets sent before the reduction) or by persistent congestion.
    """

    __slots__ = (
        "_max_datagram_size",
        "_recovery_started_at",
        "_ssthresh",
        "_window",
    )

    paces_short_round_trips = False

    def __init__(self, max_datagram_size: int) -> None:
        self._max_datagram_size = max_datagram_size
        self._window: float = base.initial_window(max_datagram_size)
        self._ssthresh = math.inf
        self._recovery_started_at = -math.inf

    @property
    def congestion_window(self) -> int:
        """The bytes that may be in flight."""
        return int(self._window)

    @property
    def ssthresh(self) -> float:
        """The window at which slow start ends, `inf` before the first congestion."""
        return self._ssthresh

    @property
    def in_slow_start(self) -> bool:
        """True while the window is below `ssthresh`."""
        return self._window < self._ssthresh

    def on_summary(self, summary: AckSummary, rtt: RttEstimator, now: float) -> None:
        """Take a batch: losses first, so that a recovery period begun by it stops its own growth.

        A batch counts as acknowledged after the recovery period began if its newest packet was sent after it.
        """
        lost_sent_at = summary.largest_lost_sent_at
        if lost_sent_at is None or not summary.lost_size:
            lost_sent_at = -math.inf
        if lost_sent_at > self._recovery_started_at:
            self._recovery_started_at = now
            self._reduce()
        if not summary.acked_size or summary.largest_acked_sent_at <= self._recovery_started_at:
            return
        size = self._max_datagram_size
        if base.is_window_limited(summary, self._window, size, self.in_slow_start):
            self._grow(summary, rtt, now)

    def on_persistent_congestion(self, now: float) -> None:
        """Start again from the minimum window.

        RFC 9002 B.8 ends the recovery period here; it is begun anew instead, so that what is still lost of
        the old flight cannot pull `ssthresh`, just set, down to the minimum too.
        """
        self._window = base.minimum_window(self._max_datagram_size)
        self._recovery_started_at = now

    def on_restart(self, now: float) -> None:
        """Nothing changes: the window stays, for what follows silence is paced (RFC 9002 §7.8)."""
        return

    def set_max_datagram_size(self, size: int) -> None:
        """The path MTU changed. A window that has not moved yet becomes the new initial one (RFC 9002 §7.2).

        One that has, but met no congestion, is at least that: a little traffic must not cost it the start.
        """
        initial = base.initial_window(size)
        if self._ssthresh == math.inf:
            is_fresh = self._window == base.initial_window(self._max_datagram_size)
            self._window = initial if is_fresh else max(self._window, initial)
        self._max_datagram_size = size
        self._window = max(self._window, base.minimum_window(size))

    def pacing_rate(self, rtt: RttEstimator) -> float:
        """Return the bytes a second at which to send."""
        return base.pacing_rate(self._window, rtt, self.in_slow_start)

    def _grow(self, summary: AckSummary, rtt: RttEstimator, now: float) -> None:
        acked_size: float = summary.acked_size
        if self.in_slow_start:
            slow_start_size = min(self._slow_start_growth(summary, now), self._ssthresh - self._window)
            self._window += slow_start_size
            acked_size -= slow_start_size
        if acked_size > 0 and not self.in_slow_start:
            self._avoid_congestion(acked_size, rtt, now)

    def _slow_start_growth(self, summary: AckSummary, now: float) -> float:
        """Return the bytes to add in slow start (RFC 9002 §7.3.1: as many as were acknowledged)."""
        return summary.acked_size

    def _shrink_to(self, factor: float) -> None:
        """Set window and `ssthresh` to `factor` of the window, not below the minimum."""
        self._window = max(self._window * factor, base.minimum_window(self._max_datagram_size))
        self._ssthresh = self._window

    @abstractmethod
    def _avoid_congestion(self, acked_size: float, rtt: RttEstimator, now: float) -> None:
        """Grow the window by what `acked_size` acknowledged bytes are worth at or above `ssthresh`."""

    @abstractmethod
    def _reduce(self) -> None:
        """Give way to a new congestion event."""
