"""BBR's cycle of probing for bandwidth (draft-ietf-ccwg-bbr-06 §5.3.3): DOWN, CRUISE, REFILL, UP.

Owns: the four phases, when to probe, and how a probe moves the long-term volume. May not know: the other
states, pace, the window's size but as it is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import Final

from fastmux.protocol.congestion.bbr_model import PathModel, is_inflight_too_high
from fastmux.records import AckSummary

_MIN_WAIT: Final = 2.0  # seconds between probes, at least (§5.3.3.8.2)
_RANDOM_WAIT: Final = 1.0  # and so much more at most, drawn anew each time so that flows do not step in line
_MAX_WAIT_ROUNDS: Final = 63  # rounds after which Reno would have grown back on the paths where it does well
_MAX_GROWTH_ROUNDS: Final = 30  # beyond it the step would be larger than any window


class Phase(Enum):
    """Where the cycle is."""

    DOWN = "drain what the probe queued"
    CRUISE = "send as fast as the path delivers"
    REFILL = "fill the pipe before more is asked of it"
    UP = "send faster, to see whether there is more"


class _Feedback(Enum):
    """Which of the acknowledgements that come now were sent by a probe."""

    NONE = "none"
    REFILLING = "those of the filling pipe"
    STARTING = "the first of the probe, within a round"
    PROBING = "those of the probe"
    STOPPING = "the last of the probe, for a round"


class ProbeCycle:
    """`is_active` while the flow is in this cycle and in no other state.

    Invariant: a probe reduces the long-term volume at most once (`_is_probe_sample` is cleared by it).
    """

    def __init__(self, model: PathModel, random_bytes: Callable[[int], bytes]) -> None:
        self.phase = Phase.DOWN
        self.is_active = False
        self._model = model
        self._random_bytes = random_bytes
        self._feedback = _Feedback.NONE
        self._is_probe_sample = False
        self._was_too_high = False  # the last probe lost too much
        self._was_cut_short = False  # the last probe stopped at the volume that an earlier one found too high
        self._began_at = 0.0
        self._wait = 0.0
        self._rounds_waited = 0
        self._growth_rounds = 0
        self._growth_acked = 0
        self._acked_per_growth = math.inf  # bytes to be acknowledged for one more datagram

    def is_in(self, phase: Phase) -> bool:
        """True if the cycle goes on and is in this phase."""
        return self.is_active and self.phase is phase

    # --- entries -------------------------------------------------------------------------------------

    def start_down(self, now: float) -> None:
        """Begin a cycle."""
        self._model.short_term.reset_signals()
        self._acked_per_growth = math.inf
        self._pick_wait()
        self._began_at = now
        self._feedback = _Feedback.STOPPING
        self._enter(Phase.DOWN)

    def start_cruise(self) -> None:
        """Go on at the rate of the path."""
        self.phase = Phase.CRUISE

    def stop(self) -> None:
        """Another state takes over; what a probe sent last is still to be heard of."""
        self.is_active = False
        self._feedback = _Feedback.STOPPING
        self._model.rounds.restart(self._model.delivered)

    def _start_refill(self) -> None:
        self._model.short_term.reset()
        self._growth_rounds = 0
        self._growth_acked = 0
        self._was_cut_short = False
        self._feedback = _Feedback.REFILLING
        self._enter(Phase.REFILL)

    def _start_up(self, sample: AckSummary, window: float) -> None:
        self._is_probe_sample = True
        self._feedback = _Feedback.STARTING
        self._model.full_pipe.restart(sample.delivery_rate or 0.0)
        self._enter(Phase.UP)
        self._steepen(window)

    def _enter(self, phase: Phase) -> None:
        self.is_active = True
        self.phase = phase
        self._model.rounds.restart(self._model.delivered)

    def _pick_wait(self) -> None:
        dice = self._random_bytes(3)
        self._rounds_waited = dice[0] & 1
        self._wait = _MIN_WAIT + _RANDOM_WAIT * int.from_bytes(dice[1:], "big") / 0x10000

    # --- updates -------------------------------------------------------------------------------------

    def on_loss(self, summary: AckSummary, window: float, now: float) -> None:
        """If a probe lost too much, remember at which volume, and end it (§5.5.10.2)."""
        if not self._is_probe_sample or summary.inflight_at_excess is None:
            return
        self._was_too_high = True
        self._is_probe_sample = False
        if not summary.is_excess_app_limited:
            self._model.reduce_longterm(summary.inflight_at_excess, window)
        if self.is_in(Phase.UP):
            self.start_down(now)

    def on_sample(self, sample: AckSummary, window: float, now: float) -> None:
        """Packets were acknowledged: move the long-term volume, and the cycle if it goes on."""
        self._rounds_waited += self._model.rounds.is_start
        if not self._model.full_pipe.was_reached:
            return
        if self._follow_feedback(sample):
            return
        if not is_inflight_too_high(sample):
            self._raise_longterm(sample, window)
        if self.is_active:
            self._advance(sample, window, now)

    def _advance(self, sample: AckSummary, window: float, now: float) -> None:
        phase = self.phase
        if phase is Phase.REFILL:
            if self._model.rounds.is_start:
                self._start_up(sample, window)
        elif phase is Phase.UP:
            if self._is_time_to_go_down(sample, window):
                self._was_too_high = False  # of this probe nothing is known yet
                self.start_down(now)
        elif self._is_time_to_probe(window, now):
            self._start_refill()
        elif phase is Phase.DOWN and self._is_time_to_cruise(sample):
            self.start_cruise()

    def _follow_feedback(self, sample: AckSummary) -> bool:
        """Track whose acknowledgements come. True if that began a phase."""
        if not self._model.rounds.is_start:
            return False
        if self._feedback is _Feedback.STARTING:
            self._feedback = _Feedback.PROBING
        elif self._feedback is _Feedback.STOPPING:
            self._is_probe_sample = False
            self._feedback = _Feedback.NONE
            if self.is_active and not sample.is_app_limited:
                self._model.max_bandwidth.advance()
            if self.is_active and self._was_cut_short and not self._was_too_high:
                self._start_refill()  # the cautious probe was safe: now a whole one (§5.3.3.6)
                return True
        return False

    # --- conditions ----------------------------------------------------------------------------------

    def _is_time_to_probe(self, window: float, now: float) -> bool:
        """After two to three seconds, or when Reno would be back at this volume (§5.3.3.8)."""
        if now > self._began_at + self._wait:
            return True
        target = self._model.target_inflight(window) / self._model.max_datagram_size
        return self._rounds_waited >= min(target, _MAX_WAIT_ROUNDS)

    def _is_time_to_cruise(self, sample: AckSummary) -> bool:
        model = self._model
        if sample.bytes_in_flight > model.inflight_with_headroom():
            return False
        return sample.bytes_in_flight <= model.inflight(model.max_bandwidth.value)

    def _is_time_to_go_down(self, sample: AckSummary, window: float) -> bool:
        model = self._model
        if self._was_too_high and sample.bytes_in_flight >= model.inflight_longterm:
            self._was_cut_short = True
            return True
        if model.is_window_limited and window >= model.inflight_longterm:
            model.full_pipe.restart(sample.delivery_rate or 0.0)  # the bound, not the path, limits the rate
            return False
        return model.full_pipe.is_full

    # --- the long-term volume ------------------------------------------------------------------------

    def _raise_longterm(self, sample: AckSummary, window: float) -> None:
        model = self._model
        if model.inflight_longterm == math.inf:
            return
        model.inflight_longterm = max(model.inflight_longterm, sample.tx_in_flight)
        if self.is_in(Phase.UP):
            self._probe_upward(sample, window)

    def _probe_upward(self, sample: AckSummary, window: float) -> None:
        """Raise the bound while it is what limits: by 1, 2, 4, … datagrams a round (§5.3.3.5)."""
        model = self._model
        if not model.is_window_limited or window < model.inflight_longterm:
            return
        self._growth_acked += sample.acked_size
        if self._growth_acked >= self._acked_per_growth:
            steps = int(self._growth_acked // self._acked_per_growth)
            self._growth_acked -= int(steps * self._acked_per_growth)
            model.inflight_longterm += steps * model.max_datagram_size
        if model.rounds.is_start:
            self._steepen(window)

    def _steepen(self, window: float) -> None:
        growth = 1 << self._growth_rounds
        self._growth_rounds = min(self._growth_rounds + 1, _MAX_GROWTH_ROUNDS)
        self._acked_per_growth = max(window / growth, self._model.max_datagram_size)
