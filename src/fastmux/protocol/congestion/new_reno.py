"""NewReno (RFC 9002 §7 and appendix B).

Owns: half on loss, one datagram a round trip. May not know: more.
"""

from __future__ import annotations

from fastmux.constants import K_LOSS_REDUCTION_FACTOR
from fastmux.protocol.congestion.loss_based import LossBasedController
from fastmux.protocol.rtt import RttEstimator


class NewReno(LossBasedController):
    """The controller of RFC 9002: additive increase, multiplicative decrease."""

    __slots__ = ()

    def _avoid_congestion(self, acked_size: float, rtt: RttEstimator, now: float) -> None:
        # One datagram for each window acknowledged; a batch is never more than a window.
        self._window += self._max_datagram_size * min(acked_size / self._window, 1.0)

    def _reduce(self) -> None:
        self._shrink_to(K_LOSS_REDUCTION_FACTOR)
