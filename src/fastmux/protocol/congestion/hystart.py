"""HyStart++ (RFC 9406): leave slow start when the round trip grows, before the queue overflows.

Owns: rounds, their least RTT, and conservative slow start. May not know: the window.
"""

from __future__ import annotations

import math
from typing import Final

_MIN_RTT_THRESHOLD: Final = 0.004
_MAX_RTT_THRESHOLD: Final = 0.016
_MIN_RTT_DIVISOR: Final = 8
_SAMPLES: Final = 8  # N_RTT_SAMPLE: fewer samples in a round decide nothing
_GROWTH_DIVISOR: Final = 4  # of conservative slow start
_CONSERVATIVE_ROUNDS: Final = 5


class HyStart:
    """Watches one slow start. A round ends when a packet sent after its start is acknowledged.

    Packet times stand in for the RFC's `windowEnd` packet number: the sender knows them once a batch.
    """

    __slots__ = (
        "_baseline_rtt",
        "_conservative_rounds",
        "_last_round_rtt",
        "_round_rtt",
        "_round_started_at",
        "_samples",
    )

    def __init__(self) -> None:
        self._round_started_at = -math.inf
        self._last_round_rtt = math.inf
        self._round_rtt = math.inf
        self._samples = 0
        self._baseline_rtt = math.inf
        self._conservative_rounds = 0

    @property
    def is_conservative(self) -> bool:
        """True while the RTT has grown and it is being seen whether it stays so."""
        return self._baseline_rtt < math.inf

    @property
    def is_over(self) -> bool:
        """True once slow start should end: conservative slow start lasted its five rounds."""
        return self._conservative_rounds >= _CONSERVATIVE_ROUNDS

    def growth(
        self, acked_size: int, largest_acked_sent_at: float, latest_rtt: float | None, now: float
    ) -> float:
        """Take one batch and return by how many bytes the window may grow for `acked_size`."""
        if largest_acked_sent_at >= self._round_started_at:
            self._start_round(now)
        if latest_rtt is not None:
            self._round_rtt = min(self._round_rtt, latest_rtt)
            self._samples += 1
        if self._samples >= _SAMPLES:
            self._judge()
        return acked_size / _GROWTH_DIVISOR if self.is_conservative else acked_size

    def _start_round(self, now: float) -> None:
        if self.is_conservative:
            self._conservative_rounds += 1
        self._round_started_at = now
        self._last_round_rtt = self._round_rtt
        self._round_rtt = math.inf
        self._samples = 0

    def _judge(self) -> None:
        if self.is_conservative:
            if self._round_rtt < self._baseline_rtt:  # it was jitter: slow start goes on
                self._baseline_rtt = math.inf
                self._conservative_rounds = 0
            return
        if self._last_round_rtt == math.inf:
            return
        threshold = self._last_round_rtt / _MIN_RTT_DIVISOR
        threshold = min(max(threshold, _MIN_RTT_THRESHOLD), _MAX_RTT_THRESHOLD)
        if self._round_rtt >= self._last_round_rtt + threshold:
            self._baseline_rtt = self._round_rtt
            self._conservative_rounds = 0
