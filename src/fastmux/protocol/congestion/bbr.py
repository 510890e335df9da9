"""BBR version 3 (draft-ietf-ccwg-bbr-06): the pace follows a model of the path, not each loss.

Owns: pace and window, which follow from model and state (§5.6). May not know: how these are found.
Left out: undoing what a spurious loss did (§5.5.11; the core forgets lost packets, so a late acknowledgement
of one is not seen), and ECN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastmux.protocol.congestion import base
from fastmux.protocol.congestion.bbr_loss import PACING_MARGIN
from fastmux.protocol.congestion.bbr_model import PathModel
from fastmux.protocol.congestion.bbr_states import STARTUP_PACING_GAIN, State, StateMachine
from fastmux.protocol.rtt import RttEstimator
from fastmux.records import AckSummary

_NOMINAL_RTT: Final = 0.001  # before the first RTT sample


class Bbr:
    """The controller of a path, driven by acknowledgements; `model` and `states` are there to be looked at.

    Invariant: `congestion_window >= 4` datagrams, but for the round after persistent congestion.
    """

    paces_short_round_trips = True

    def __init__(self, max_datagram_size: int, random_bytes: Callable[[int], bytes]) -> None:
        self.model = PathModel(max_datagram_size)
        self.states = StateMachine(self.model, random_bytes)
        self._window: float = base.initial_window(max_datagram_size)
        self._prior_window = 0.0  # before ProbeRTT or persistent congestion
        self._pacing_rate = 0.0
        self._collapsed_at: float | None = None  # persistent congestion, until something sent since arrives

    @property
    def congestion_window(self) -> int:
        """The bytes that may be in flight."""
        return int(self._window)

    @property
    def state(self) -> State:
        """What the flow is after."""
        return self.states.state

    @property
    def bandwidth(self) -> float:
        """The estimate, bytes a second, 0 before the first sample."""
        return self.model.bandwidth

    def on_summary(self, summary: AckSummary, rtt: RttEstimator, now: float) -> None:
        """Take a batch: losses first (§5.2.4), then what was acknowledged (§5.2.3)."""
        if not self._pacing_rate:
            self._pacing_rate = self._initial_pacing_rate(rtt)
        sample = self.states.seen(summary)
        if sample.lost_packets:
            self.model.on_loss(sample)
            self.states.cycle.on_loss(sample, self._window, now)
        if sample.acked_packets:
            was_probing_rtt = self.state is State.PROBE_RTT
            self.model.on_sample(sample, self._window, self.states.is_probing, now)
            self.states.on_sample(sample, self._window, now)
            self.model.settle(sample)
            if self.state is State.PROBE_RTT and not was_probing_rtt:
                self._save_window(is_shrunk=self._collapsed_at is not None)
            if self._collapsed_at is not None and sample.largest_acked_sent_at > self._collapsed_at:
                self._collapsed_at = None
                self._window = max(self._window, self._prior_window)
        self._set_pacing_rate(self.states.pacing_gain)
        self._set_window(sample.acked_size)

    def on_persistent_congestion(self, now: float) -> None:
        """Start again from the minimum window (RFC 9002 §7.6.2).

        The model stays: when something sent since arrives, the window it allows comes back (§5.6.4.4).
        """
        self._save_window(is_shrunk=self._collapsed_at is not None or self.state is State.PROBE_RTT)
        self._collapsed_at = now
        self._window = base.minimum_window(self.model.max_datagram_size)

    def on_restart(self, now: float) -> None:
        """Something is about to be sent while nothing is in flight (§5.4.1)."""
        self.model.extra_acked.restart(now)
        self.states.on_restart(now)
        self._take_window_back()
        if self.states.cycle.is_active:
            self._set_pacing_rate(1.0)

    def set_max_datagram_size(self, size: int) -> None:
        """The path MTU changed. A window that has not moved yet becomes the new initial one."""
        if self._window == base.initial_window(self.model.max_datagram_size):
            self._window = base.initial_window(size)
        self.model.max_datagram_size = size
        # collapsed or not: a window with no room for a datagram would never be left again
        least = self.model.min_pipe if self._collapsed_at is None else base.minimum_window(size)
        self._window = max(self._window, least)

    def pacing_rate(self, rtt: RttEstimator) -> float:
        """Return the bytes a second at which to send."""
        return self._pacing_rate or self._initial_pacing_rate(rtt)

    def _initial_pacing_rate(self, rtt: RttEstimator) -> float:
        round_trip = rtt.smoothed_rtt if rtt.has_sample else _NOMINAL_RTT
        return STARTUP_PACING_GAIN * base.initial_window(self.model.max_datagram_size) / round_trip

    def _set_pacing_rate(self, gain: float) -> None:
        """Follow the bandwidth; down only once it is known (§5.6.2)."""
        rate = gain * self.model.bandwidth * PACING_MARGIN
        if rate > self._pacing_rate or (self.model.full_pipe.was_reached and rate > 0):
            self._pacing_rate = rate

    def _set_window(self, acked_size: int) -> None:
        """Grow by what was acknowledged up to what the model wants, and fall to it at once (§5.6.4.6)."""
        model, states = self.model, self.states
        self._take_window_back()
        model.set_quantum(self._pacing_rate)
        wanted = model.inflight(model.bandwidth, states.window_gain, model.extra_acked.value)
        if model.full_pipe.was_reached:
            self._window = min(self._window + acked_size, wanted)
        elif self._window < wanted or model.delivered < base.initial_window(model.max_datagram_size):
            self._window += acked_size
        if self._collapsed_at is None:
            self._window = max(self._window, model.min_pipe)
        if self.state is State.PROBE_RTT:
            self._window = min(self._window, states.probe_rtt_window)
        self._window = min(self._window, states.volume_cap)

    def _save_window(self, *, is_shrunk: bool) -> None:
        """Remember the last window that neither ProbeRTT nor persistent congestion had shrunk."""
        self._prior_window = max(self._prior_window, self._window) if is_shrunk else self._window

    def _take_window_back(self) -> None:
        if self.states.wants_window_back:
            self.states.wants_window_back = False
            self._window = max(self._window, self._prior_window)
