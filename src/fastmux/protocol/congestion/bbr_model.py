"""BBR's model of the path (draft-ietf-ccwg-bbr-06 §3.4, §5.5): what it carries, and what it may be given.

Owns: the estimators together, and the volumes that follow from them. May not know: states, pace, the window.
"""

from __future__ import annotations

import math
from typing import Final

from fastmux.constants import K_GRANULARITY, LOSS_THRESHOLD_PERCENT, MAX_TRAIN_SIZE
from fastmux.protocol.congestion import base
from fastmux.protocol.congestion.bbr_aggregation import ExtraAcked
from fastmux.protocol.congestion.bbr_bandwidth import FullPipe, MaxBandwidth, Rounds
from fastmux.protocol.congestion.bbr_loss import BETA, ShortTermModel
from fastmux.protocol.congestion.bbr_min_rtt import MinRtt
from fastmux.records import AckSummary

_MIN_PIPE_PACKETS: Final = 4  # MinPipeCwnd: two datagrams each way, or acknowledgements stall the flow
_MIN_QUANTUM_PACKETS: Final = 2
_HEADROOM: Final = 0.15  # what cruising leaves free of the highest safe volume, for others
_WINDOW_SLACK_PACKETS: Final = 3  # a fill stops at whole datagrams


class PathModel:
    """Rates are bytes a second, volumes bytes.

    `bandwidth` is what to send at, within the short-term bound; `inflight_longterm` the volume that the last
    probe for bandwidth found safe, `inf` until one has met its limit.
    """

    def __init__(self, max_datagram_size: int) -> None:
        self.max_datagram_size = max_datagram_size
        self.delivered = 0
        self.bandwidth = 0.0
        self.inflight_longterm = math.inf
        self.is_window_limited = False  # the window was full at some time of this round or the last
        self.rounds = Rounds()
        self.max_bandwidth = MaxBandwidth()
        self.full_pipe = FullPipe()
        self.short_term = ShortTermModel()
        self.min_rtt = MinRtt()
        self.extra_acked = ExtraAcked()
        self._was_full_this_round = False
        self._quantum = 0.0

    # --- updates, in the order of §5.2.3 -------------------------------------------------------------

    def on_loss(self, summary: AckSummary) -> None:
        """Packets were lost."""
        self.delivered = summary.delivered
        self.short_term.on_loss(summary.lost_runs, summary.delivered)

    def on_sample(self, sample: AckSummary, window: float, is_probing: bool, now: float) -> None:
        """Packets were acknowledged. `is_probing`: the flow looks for the limit, so loss is no news."""
        self.delivered = sample.delivered
        self.short_term.on_sample(sample)
        self.rounds.on_sample(sample.prior_delivered, sample.delivered)
        self._note_window_use(sample, window)
        rate = sample.delivery_rate
        if rate is not None:
            self.max_bandwidth.on_sample(rate, sample.is_app_limited)
        self.short_term.adapt(self.max_bandwidth.value, window, is_probing)
        self.extra_acked.on_acked(
            sample.acked_size,
            self.bandwidth,
            window,
            now,
            rounds=self.rounds.count,
            is_startup=not self.full_pipe.was_reached,
        )
        if rate is not None and self.rounds.is_start and not sample.is_app_limited:
            self.full_pipe.on_round(rate)

    def settle(self, sample: AckSummary) -> None:
        """The states have seen the sample: close it, and bound the bandwidth."""
        self.short_term.advance(sample)
        self.bound_bandwidth()

    def bound_bandwidth(self) -> None:
        """Take the short-term bound as it is now."""
        self.bandwidth = min(self.max_bandwidth.value, self.short_term.bandwidth)

    def reduce_longterm(self, inflight_at_excess: float, window: float) -> None:
        """A probe put so much in flight that more than the threshold was lost (§5.5.10.2)."""
        self.inflight_longterm = max(inflight_at_excess, BETA * self.target_inflight(window))

    def _note_window_use(self, sample: AckSummary, window: float) -> None:
        if self.rounds.is_start:
            self.is_window_limited = self._was_full_this_round
            self._was_full_this_round = False
        if sample.prior_in_flight + _WINDOW_SLACK_PACKETS * self.max_datagram_size >= window:
            self._was_full_this_round = self.is_window_limited = True

    # --- volumes -------------------------------------------------------------------------------------

    @property
    def min_pipe(self) -> int:
        """The least window (§5.6.4.3)."""
        return _MIN_PIPE_PACKETS * self.max_datagram_size

    def set_quantum(self, pacing_rate: float) -> None:
        """What leaves at once: a millisecond's worth, at most a train (§5.6.3), as the pacer does it."""
        least = _MIN_QUANTUM_PACKETS * self.max_datagram_size
        self._quantum = max(min(pacing_rate * K_GRANULARITY, MAX_TRAIN_SIZE), least)

    def bdp(self, bandwidth: float) -> float:
        """What fills the pipe at this rate without a queue, an initial window before the first RTT sample."""
        if self.min_rtt.value == math.inf:
            return base.initial_window(self.max_datagram_size)
        return bandwidth * self.min_rtt.value

    def inflight(self, bandwidth: float, gain: float = 1.0, extra: float = 0.0) -> float:
        """The volume for `gain` times the BDP, no less than whole trains and their ACKs need (§5.6.4.2)."""
        return max(gain * self.bdp(bandwidth) + extra, self._quantum, self.min_pipe)

    def target_inflight(self, window: float) -> float:
        """What the flow wants in flight: the BDP, unless congestion has cut the window (§5.3.3.8)."""
        return min(self.bdp(self.bandwidth), window)

    def inflight_with_headroom(self) -> float:
        """The long-term volume but for what is left to others."""
        if self.inflight_longterm == math.inf:
            return math.inf
        headroom = max(_HEADROOM * self.inflight_longterm, self.max_datagram_size)
        return max(self.inflight_longterm - headroom, self.min_pipe)


def is_inflight_too_high(sample: AckSummary) -> bool:
    """True if more than the threshold of a flight was lost since the acknowledged packet was sent."""
    return 100 * sample.lost_since_sent > LOSS_THRESHOLD_PERCENT * sample.tx_in_flight
