"""When to probe, and when a loss means that the path is gone (RFC 9002 §6.2, §7.6).

Owns: the PTO back-off and the persistent-congestion rule. May not know: which packets were lost (the core
finds them), the congestion window, timers. Handshake and application space each keep their own.
"""

from __future__ import annotations

from typing import Final

from fastmux.constants import K_PERSISTENT_CONGESTION_THRESHOLD, MAX_ACK_DELAY, MAX_PTO, MIN_PTO
from fastmux.protocol.rtt import RttEstimator
from fastmux.records import AckSummary

PROBES_PER_TIMEOUT: Final = 2  # RFC 9002 §6.2.4: the second survives the loss of the first
_MAX_BACKOFF_EXPONENT: Final = 16  # MIN_PTO << 16 is beyond MAX_PTO


class Recovery:
    """Feeds the RTT estimate from ACK summaries and keeps the PTO back-off. Times are seconds.

    `max_ack_delay` is the peer's, set when its parameters are known; `handshake_confirmed` is set once.
    A peer that is heard after a PTO gets probes a PTO later, not when the back-off ends: the path may be
    back, and the peer wait for just what was lost, such as credit. They answer it, once each time that it is
    heard, and leave the back-off as it is.
    Invariant: `probe_at` is later than the last PTO that fired, whether or not a probe could be sent.
    """

    __slots__ = (
        "_answered_at",
        "_first_sample_at",
        "_heard_at",
        "_rtt",
        "_timed_out_at",
        "handshake_confirmed",
        "max_ack_delay",
        "pto_count",
    )

    def __init__(self, rtt: RttEstimator) -> None:
        self.pto_count = 0
        self.max_ack_delay = MAX_ACK_DELAY
        self.handshake_confirmed = False
        self._rtt = rtt
        self._first_sample_at: float | None = None
        self._timed_out_at = float("-inf")
        self._heard_at = float("-inf")
        self._answered_at = float("-inf")

    def on_heard(self, at: float) -> None:
        """The newest authentic packet of the peer came then."""
        self._heard_at = at

    def on_summary(self, summary: AckSummary, now: float, *, is_progress: bool = True) -> None:
        """Take the RTT sample of a summary, and end the back-off if anything was newly acknowledged.

        Without `is_progress` the back-off goes on: what was acknowledged got nothing across.
        """
        if summary.latest_rtt is not None:
            self._rtt.update(
                summary.latest_rtt, summary.ack_delay, self.max_ack_delay, self.handshake_confirmed
            )
            if self._first_sample_at is None:
                self._first_sample_at = now
        if is_progress and (summary.acked_packets or summary.latest_rtt is not None):
            self.pto_count = 0
            self._answered_at = float("-inf")  # an answer belongs to its back-off, not to the next flight
        if summary.largest_lost_sent_at is not None and self.is_persistent_congestion(summary):
            self._rtt.restart_min_rtt()

    def probe_at(self, last_eliciting_sent_at: float | None, max_ack_delay: float) -> float | None:
        """Return when the PTO fires, None with nothing ack-eliciting in flight.

        Not to be armed while a loss timer is (RFC 9002 §6.2.1). `max_ack_delay` is 0 in the handshake space.
        """
        if last_eliciting_sent_at is None:
            return None
        timed_out_at = self._timed_out_at
        if last_eliciting_sent_at >= self._answered_at > timed_out_at:
            at = timed_out_at  # the probes of an answer put nothing off
        else:
            at = max(last_eliciting_sent_at, timed_out_at)
        at += self._timeout(self.pto_count, max_ack_delay)
        if self._may_answer:
            at = min(at, max(last_eliciting_sent_at, self._heard_at) + self._timeout(0, max_ack_delay))
        return at

    @property
    def _may_answer(self) -> bool:
        return self.pto_count > 0 and self._heard_at > max(self._timed_out_at, self._answered_at)

    def _timeout(self, exponent: int, max_ack_delay: float) -> float:
        pto = max(self._rtt.pto(max_ack_delay), MIN_PTO)
        return min(pto * (1 << min(exponent, _MAX_BACKOFF_EXPONENT)), MAX_PTO)

    def on_probe_timeout(self, now: float) -> int:
        """What `probe_at` said has come: back off, unless it is an answer; gives how many probes to send."""
        if self._may_answer and now < self._timed_out_at + self._timeout(self.pto_count, self.max_ack_delay):
            self._answered_at = now
        else:
            self.pto_count += 1
            self._timed_out_at = now
        return PROBES_PER_TIMEOUT

    def is_persistent_congestion(self, summary: AckSummary) -> bool:
        """True if everything sent over three PTOs was lost (RFC 9002 §7.6.1). Changes nothing.

        Call it after `on_summary`. Packets sent before the first RTT sample prove nothing (§7.6.2).
        """
        if self._first_sample_at is None or summary.largest_lost_sent_at is None:
            return False
        if summary.largest_lost_sent_at - summary.lost_span < self._first_sample_at:
            return False
        duration = self._rtt.pto(self.max_ack_delay) * K_PERSISTENT_CONGESTION_THRESHOLD
        return summary.lost_span > duration
