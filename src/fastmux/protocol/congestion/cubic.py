"""CUBIC (RFC 9438) with HyStart++ (RFC 9406): the default controller.

Owns: the cubic curve, its Reno-friendly region and fast convergence. May not know: more.
Left out: undoing a reduction whose loss proves spurious (§4.9); the core forgets lost packets, so a
late acknowledgement of one is not seen.
"""

from __future__ import annotations

import math
from typing import Final

from fastmux.constants import MAX_ACK_DELAY
from fastmux.protocol.congestion.hystart import HyStart
from fastmux.protocol.congestion.loss_based import LossBasedController
from fastmux.protocol.rtt import RttEstimator
from fastmux.records import AckSummary

C: Final = 0.4  # datagrams a second cubed (§5)
BETA: Final = 0.7  # the window keeps this part after a loss (§4.6)
ALPHA: Final = 3 * (1 - BETA) / (1 + BETA)  # as fair as Reno at this BETA (§4.3)
_MAX_TARGET: Final = 1.5  # the most that a round trip may raise the window to, of the window (§4.2)


class Cubic(LossBasedController):
    """The window follows `C * (t - K)^3 + W_max`, t since the start of congestion avoidance.

    `t` is the time in which acknowledgements made the window grow: neither idle nor app-limited time
    counts (§5.8), so that an hour of silence is not followed by a leap.
    """

    __slots__ = (
        "_elapsed",
        "_grown_at",
        "_hystart",
        "_inflection",
        "_is_epoch_open",
        "_max_window",
        "_prior_window",
        "_reno_window",
        "_scale",
    )

    def __init__(self, max_datagram_size: int) -> None:
        super().__init__(max_datagram_size)
        self._max_window = 0.0  # W_max, bytes
        self._prior_window = 0.0  # cwnd_prior: the window at the last reduction
        self._is_epoch_open = False
        self._elapsed = 0.0  # t, seconds
        self._grown_at = 0.0
        self._inflection = 0.0  # K, seconds
        self._scale = 0.0  # C in bytes
        self._reno_window = 0.0  # W_est
        self._hystart: HyStart | None = HyStart()

    def on_persistent_congestion(self, now: float) -> None:
        """Start again from the minimum window; the next epoch starts a curve of its own (§4.8)."""
        super().on_persistent_congestion(now)
        self._max_window = 0.0
        self._is_epoch_open = False

    def _slow_start_growth(self, summary: AckSummary, now: float) -> float:
        hystart = self._hystart
        if hystart is None:
            return summary.acked_size
        size = hystart.growth(summary.acked_size, summary.largest_acked_sent_at, summary.latest_rtt, now)
        if hystart.is_over:
            self._ssthresh = self._window
            self._hystart = None
            return 0
        return size

    def _avoid_congestion(self, acked_size: float, rtt: RttEstimator, now: float) -> None:
        if not self._is_epoch_open:
            self._open_epoch(now)
        # An interval longer than acknowledgements can be apart was spent idle.
        pause = max(rtt.smoothed_rtt, rtt.latest_rtt) + MAX_ACK_DELAY
        self._elapsed += min(max(now - self._grown_at, 0.0), pause)
        self._grown_at = now
        acked_share = min(acked_size / self._window, 1.0)
        alpha = ALPHA if self._reno_window < self._prior_window else 1.0
        self._reno_window += alpha * acked_share * self._max_datagram_size
        if self._curve(self._elapsed) < self._reno_window:
            self._window = max(self._window, self._reno_window)
            return
        target = self._curve(self._elapsed + rtt.smoothed_rtt)
        target = min(max(target, self._window), _MAX_TARGET * self._window)
        self._window += (target - self._window) * acked_share

    def _open_epoch(self, now: float) -> None:
        self._is_epoch_open = True
        self._elapsed = 0.0
        self._grown_at = now
        self._scale = C * self._max_datagram_size
        self._reno_window = self._window
        self._max_window = max(self._max_window, self._window)
        self._inflection = math.cbrt((self._max_window - self._window) / self._scale)

    def _curve(self, elapsed: float) -> float:
        return self._scale * (elapsed - self._inflection) ** 3 + self._max_window

    def _reduce(self) -> None:
        self._hystart = None  # only the first slow start explores (RFC 9406 §4.3)
        self._prior_window = self._window
        # Fast convergence (§4.7): a window that no longer reaches its old height leaves room to others.
        shrank = self._window < self._max_window
        self._max_window = self._window * (1 + BETA) / 2 if shrank else self._window
        self._is_epoch_open = False
        self._shrink_to(BETA)
