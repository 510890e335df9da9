"""BBR's states around its cycle (draft-ietf-ccwg-bbr-06 §5.3.1, §5.3.2, §5.3.4): Startup, Drain, ProbeRTT.

Owns: which state the flow is in, and its gains. May not know: the phases' rules (`bbr_cycle`), pace, window.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from fastmux.protocol.congestion.bbr_cycle import Phase, ProbeCycle
from fastmux.protocol.congestion.bbr_model import PathModel, is_inflight_too_high
from fastmux.records import AckSummary

_STARTUP_LOST_RUNS: Final = 6  # so many separate losses in a round are no single burst (§5.3.1.3)
_DRAIN_ROUNDS: Final = 3  # then the rate was overestimated, and waiting does not help
_PROBE_RTT_TIME: Final = 0.2  # seconds: long enough for other flows to do it at the same time
PROBE_RTT_GAIN: Final = 0.5

STARTUP_PACING_GAIN: Final = 2.77  # 4 ln 2: the least that doubles the rate each round
_DEFAULT_WINDOW_GAIN: Final = 2.0
_CYCLE_PACING_GAINS: Final = {Phase.DOWN: 0.9, Phase.CRUISE: 1.0, Phase.REFILL: 1.0, Phase.UP: 1.25}
_UP_WINDOW_GAIN: Final = 2.25


class State(Enum):
    """What the flow is after."""

    STARTUP = "find the rate of the path"
    DRAIN = "drain what that queued"
    PROBE_BW = "follow the rate of the path"
    PROBE_RTT = "find the round trip without a queue"


_PACING_GAINS: Final = {State.STARTUP: STARTUP_PACING_GAIN, State.DRAIN: 0.5, State.PROBE_RTT: 1.0}


class StateMachine:
    """Moves through the states as samples come.

    `wants_window_back` is set when ProbeRTT is over: what the window was before it may be used again.
    """

    def __init__(self, model: PathModel, random_bytes: Callable[[int], bytes]) -> None:
        self.state = State.STARTUP
        self.cycle = ProbeCycle(model, random_bytes)
        self.wants_window_back = False
        self._model = model
        self._is_restart = False  # the flow was silent until now
        self._drain_round = 0
        self._probe_over_at: float | None = None  # of ProbeRTT, None until the queue is drained
        self._is_probe_round_over = False
        self._limited_from = -1  # samples of packets sent while this much was delivered are low on purpose
        self._limited_until = -1

    @property
    def is_probing(self) -> bool:
        """True while the flow sends more than it knows to fit."""
        cycle = self.cycle
        return self.state is State.STARTUP or cycle.is_in(Phase.REFILL) or cycle.is_in(Phase.UP)

    @property
    def pacing_gain(self) -> float:
        """By what the bandwidth is multiplied for the pace."""
        if self.state is State.PROBE_BW:
            return _CYCLE_PACING_GAINS[self.cycle.phase]
        return _PACING_GAINS[self.state]

    @property
    def window_gain(self) -> float:
        """By what the BDP is multiplied for the window."""
        if self.state is State.PROBE_RTT:
            return PROBE_RTT_GAIN
        return _UP_WINDOW_GAIN if self.cycle.is_in(Phase.UP) else _DEFAULT_WINDOW_GAIN

    @property
    def volume_cap(self) -> float:
        """What the model allows in flight in this state, besides the BDP (§5.6.4.7)."""
        model, cap = self._model, float("inf")
        if self.state is State.PROBE_RTT or self.cycle.is_in(Phase.CRUISE):
            cap = model.inflight_with_headroom()
        elif self.state is State.PROBE_BW:
            cap = model.inflight_longterm
        return max(min(cap, model.short_term.inflight), model.min_pipe)

    # --- updates -------------------------------------------------------------------------------------

    def seen(self, summary: AckSummary) -> AckSummary:
        """The summary as the model is to see it: ProbeRTT, not the path, limits what it sends (§5.3.4.3)."""
        if self._limited_from <= summary.prior_delivered <= self._limited_until:
            return summary._replace(is_app_limited=True)
        return summary

    def on_sample(self, sample: AckSummary, window: float, now: float) -> None:
        """Packets were acknowledged, and the model has taken the sample."""
        if self.state is State.STARTUP:
            self._check_startup(sample)
        if self.state is State.DRAIN:
            self._check_drain(sample, now)
        self.cycle.on_sample(sample, window, now)
        self._model.min_rtt.on_sample(sample.latest_rtt, now)
        self._check_probe_rtt(sample, now)
        self._is_restart = False

    def on_restart(self, now: float) -> None:
        """The flow sends again after nothing was in flight: silence has drained the queue too (§5.4.1)."""
        self._is_restart = True
        if self.state is State.PROBE_RTT:
            self._check_probe_rtt_over(now)

    def _check_startup(self, sample: AckSummary) -> None:
        model = self._model
        signals = model.short_term
        if (
            signals.is_round_start
            and signals.lost_runs >= _STARTUP_LOST_RUNS
            and is_inflight_too_high(sample)
        ):
            model.full_pipe.was_reached = True
            model.inflight_longterm = max(model.bdp(model.bandwidth), signals.inflight_latest)
        if model.full_pipe.was_reached:
            self.state = State.DRAIN
            self._drain_round = model.rounds.count

    def _check_drain(self, sample: AckSummary, now: float) -> None:
        model = self._model
        is_drained = sample.bytes_in_flight <= model.inflight(model.bandwidth)
        if is_drained or model.rounds.count > self._drain_round + _DRAIN_ROUNDS:
            self.state = State.PROBE_BW
            self.cycle.start_down(now)

    # --- ProbeRTT ------------------------------------------------------------------------------------

    def _check_probe_rtt(self, sample: AckSummary, now: float) -> None:
        if self.state is not State.PROBE_RTT:
            if self._is_restart or not self._model.min_rtt.is_probe_due:
                return
            self.state = State.PROBE_RTT
            self.cycle.stop()
            self._probe_over_at = None
            self._limited_from = sample.delivered
        self._limited_until = sample.delivered + sample.bytes_in_flight
        if self._probe_over_at is None:
            if sample.bytes_in_flight <= self.probe_rtt_window:
                self._probe_over_at = now + _PROBE_RTT_TIME
                self._is_probe_round_over = False
                self._model.rounds.restart(sample.delivered)
        else:
            self._is_probe_round_over |= self._model.rounds.is_start
            if self._is_probe_round_over:
                self._check_probe_rtt_over(now)

    @property
    def probe_rtt_window(self) -> float:
        """The window of ProbeRTT: half of what fills the pipe leaves no queue (§5.6.4.5)."""
        model = self._model
        return max(PROBE_RTT_GAIN * model.bdp(model.bandwidth), model.min_pipe)

    def _check_probe_rtt_over(self, now: float) -> None:
        if self._probe_over_at is None or now <= self._probe_over_at:
            return
        self._model.min_rtt.on_probed(now)
        self._model.short_term.reset()
        self._model.bound_bandwidth()
        self.wants_window_back = True
        if self._model.full_pipe.was_reached:
            self.state = State.PROBE_BW
            self.cycle.start_down(now)
            self.cycle.start_cruise()  # the queue is drained already
        else:
            self.state = State.STARTUP
