"""What one path's round trip takes (RFC 9002 §5).

Owns: the RTT estimate and the two delays that follow from it. May not know: packets, ACK frames, timers.
"""

from __future__ import annotations

from typing import Final

from fastmux.constants import K_GRANULARITY, K_INITIAL_RTT, K_TIME_THRESHOLD, MAX_ACK_DELAY

MIN_RTT: Final = 1e-6  # a clock that stood still between two packets measured nothing smaller


class RttEstimator:
    """Smoothed RTT, its variation and its minimum. All values are seconds.

    Invariant: `MIN_RTT <= min_rtt <= every latest_rtt since min_rtt was last restarted`, and no
    acknowledgement delay that a peer claims takes an adjusted sample below `min_rtt`.
    """

    __slots__ = ("_restarts_min", "has_sample", "latest_rtt", "min_rtt", "rttvar", "smoothed_rtt")

    def __init__(self, initial_rtt: float = K_INITIAL_RTT) -> None:
        self.has_sample = False
        self.latest_rtt = 0.0
        self.min_rtt = 0.0
        self.smoothed_rtt = max(initial_rtt, MIN_RTT)
        self.rttvar = self.smoothed_rtt / 2
        self._restarts_min = False

    def update(
        self, latest_rtt: float, ack_delay: float, max_ack_delay: float, handshake_confirmed: bool
    ) -> None:
        """Take one sample (RFC 9002 §5.3).

        `ack_delay` is what the peer says it waited; it counts up to `max_ack_delay` once the handshake
        is confirmed, before that (parameters are not proved yet) up to our own MAX_ACK_DELAY.
        """
        latest_rtt = max(latest_rtt, MIN_RTT)
        self.latest_rtt = latest_rtt
        if not self.has_sample:
            self.has_sample = True
            self.min_rtt = self.smoothed_rtt = latest_rtt
            self.rttvar = latest_rtt / 2
            return
        if self._restarts_min or latest_rtt < self.min_rtt:
            self.min_rtt = latest_rtt
            self._restarts_min = False
        longest_delay = max_ack_delay if handshake_confirmed else MAX_ACK_DELAY
        ack_delay = min(ack_delay, longest_delay)
        adjusted_rtt = latest_rtt
        if latest_rtt >= self.min_rtt + ack_delay:
            adjusted_rtt -= ack_delay
        self.rttvar += (abs(self.smoothed_rtt - adjusted_rtt) - self.rttvar) / 4
        self.smoothed_rtt += (adjusted_rtt - self.smoothed_rtt) / 8

    def restart_min_rtt(self) -> None:
        """Let the next sample be the new minimum: after persistent congestion (RFC 9002 §5.2)."""
        self._restarts_min = True

    def pto(self, max_ack_delay: float) -> float:
        """Return the probe timeout without back-off (RFC 9002 §6.2.1)."""
        return self.smoothed_rtt + max(4 * self.rttvar, K_GRANULARITY) + max_ack_delay

    @property
    def loss_delay(self) -> float:
        """How long after its sending an unacknowledged older packet is lost (RFC 9002 §6.1.2)."""
        latest, smoothed = self.latest_rtt, self.smoothed_rtt
        delay = K_TIME_THRESHOLD * (latest if latest > smoothed else smoothed)
        return delay if delay > K_GRANULARITY else K_GRANULARITY
