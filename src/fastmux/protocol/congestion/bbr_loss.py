"""What recent loss says about rate and volume (draft-ietf-ccwg-bbr-06 §5.5.10.3): BBR's short-term model.

Owns: loss rounds, and the bounds that hold until the next bandwidth probe. May not know: states, the window.
"""

from __future__ import annotations

import math
from typing import Final

from fastmux.records import AckSummary

BETA: Final = 0.7  # no round takes more than this from a bound, as CUBIC would
PACING_MARGIN: Final = 0.99  # the pace is 1 % below the bandwidth, so that queues shrink (§5.6.2)


class ShortTermModel:
    """Bounds on bandwidth (bytes a second) and bytes in flight, `inf` until a loss.

    A loss round begins at the first loss, so that its end has seen a full flight sent after it; without
    losses one follows the other. `bandwidth_latest` and `inflight_latest` are the most of the round so far.

    One departure from the draft: what was delivered is set against what was sent, which the pacing margin
    keeps 1 % below the bound. Without that every round with a loss would take 1 % from both bounds though all
    else arrived, and under steady random loss half of the rate would be gone before the next probe.
    """

    __slots__ = (
        "_is_loss_in_round",
        "_round_over_at",
        "bandwidth",
        "bandwidth_latest",
        "inflight",
        "inflight_latest",
        "is_round_start",
        "lost_runs",
    )

    def __init__(self) -> None:
        self.bandwidth = math.inf
        self.inflight = math.inf
        self.bandwidth_latest = 0.0
        self.inflight_latest = 0
        self.is_round_start = False  # the last sample ended a loss round
        self.lost_runs = 0  # in this loss round
        self._is_loss_in_round = False
        self._round_over_at = 0

    def reset(self) -> None:
        """Forget the bounds: the path is to be probed again."""
        self.bandwidth = math.inf
        self.inflight = math.inf

    def reset_signals(self) -> None:
        """Forget what the round so far has shown."""
        self._is_loss_in_round = False
        self.bandwidth_latest = 0.0
        self.inflight_latest = 0

    def on_loss(self, runs: int, delivered: int) -> None:
        """Packets were lost, in so many runs."""
        if not self._is_loss_in_round:
            self._round_over_at = delivered
        self._is_loss_in_round = True
        self.lost_runs += runs

    def on_sample(self, sample: AckSummary) -> None:
        """First of the steps of an acknowledgement."""
        self.bandwidth_latest = max(self.bandwidth_latest, sample.delivery_rate or 0.0)
        self.inflight_latest = max(self.inflight_latest, sample.delivered - sample.prior_delivered)
        self.is_round_start = sample.prior_delivered >= self._round_over_at
        if self.is_round_start:
            self._round_over_at = sample.delivered

    def adapt(self, max_bandwidth: float, window: float, is_probing: bool) -> None:
        """Once a loss round: come down to what was delivered, unless the flow was looking for the limit."""
        if not self.is_round_start:
            return
        if self._is_loss_in_round and not is_probing:
            before = max_bandwidth if self.bandwidth == math.inf else self.bandwidth
            self.bandwidth = max(self.bandwidth_latest / PACING_MARGIN, BETA * before)
            inflight_before = window if self.inflight == math.inf else self.inflight
            self.inflight = max(self.inflight_latest / PACING_MARGIN, BETA * inflight_before)
        self._is_loss_in_round = False

    def advance(self, sample: AckSummary) -> None:
        """Last of the steps of an acknowledgement: a new round starts with its own sample."""
        if self.is_round_start:
            self.bandwidth_latest = sample.delivery_rate or 0.0
            self.inflight_latest = sample.delivered - sample.prior_delivered
            self.lost_runs = 0
