"""What every congestion controller offers, and the numbers they share (RFC 9002 §7).

Owns: the interface, window bounds, pacing rate and the app-limited rule. May not know: an algorithm.
"""

from __future__ import annotations

from typing import Final, Protocol

from fastmux.constants import K_INITIAL_WINDOW_PACKETS, K_MINIMUM_WINDOW_PACKETS
from fastmux.protocol.rtt import RttEstimator
from fastmux.records import AckSummary

_INITIAL_WINDOW_SIZE: Final = 14720  # RFC 9002 §7.2: bounds ten large datagrams, but not two
_PACING_GAIN: Final = 1.25  # RFC 9002 §7.7: so that the window limits, not the pace
_SLOW_START_PACING_GAIN: Final = 2.0  # the window doubles while it is being sent
_WINDOW_SLACK_PACKETS: Final = 3


class CongestionController(Protocol):
    """One per path. Windows are bytes, times seconds; made by name (`congestion.choice`).

    `paces_short_round_trips`: pace also where a round trip is shorter than timers are fine, so that the pace
    limits trains of a millisecond and more; without it the window alone limits there.
    """

    paces_short_round_trips: bool

    @property
    def congestion_window(self) -> int:
        """The bytes that may be in flight."""
        ...

    def on_summary(self, summary: AckSummary, rtt: RttEstimator, now: float) -> None:
        """Take a batch of losses and acknowledgements; `rtt` has its sample already."""
        ...

    def on_persistent_congestion(self, now: float) -> None:
        """Start again from the minimum window (RFC 9002 §7.6.2); called after `on_summary`."""
        ...

    def on_restart(self, now: float) -> None:
        """Something may be sent now, and nothing is in flight."""
        ...

    def set_max_datagram_size(self, size: int) -> None:
        """The path MTU changed. A window that has not moved yet becomes the new initial one."""
        ...

    def pacing_rate(self, rtt: RttEstimator) -> float:
        """Return the bytes a second at which to send."""
        ...


def initial_window(max_datagram_size: int) -> int:
    """Return the window of a new path, bytes (RFC 9002 §7.2)."""
    return min(
        K_INITIAL_WINDOW_PACKETS * max_datagram_size,
        max(K_MINIMUM_WINDOW_PACKETS * max_datagram_size, _INITIAL_WINDOW_SIZE),
    )


def minimum_window(max_datagram_size: int) -> int:
    """Return the window that nothing goes below, bytes (RFC 9002 §7.2)."""
    return K_MINIMUM_WINDOW_PACKETS * max_datagram_size


def pacing_rate(window: float, rtt: RttEstimator, in_slow_start: bool) -> float:
    """Return the bytes a second that spread `window` over a round trip (RFC 9002 §7.7)."""
    gain = _SLOW_START_PACING_GAIN if in_slow_start else _PACING_GAIN
    return gain * window / rtt.smoothed_rtt


def is_window_limited(
    summary: AckSummary, window: float, max_datagram_size: int, in_slow_start: bool
) -> bool:
    """True if the window, not the application, limited what was just acknowledged (RFC 9002 §7.8).

    A window that was not used was not tested, so its acknowledgements must not make it grow. Two signs
    of use, either is enough, because each misses a case:
    * The newest acknowledged packet was not sent in an app-limited phase. The core marks a phase when a fill
      stops for lack of data, not when the window or the pacer stopped it: pacing counts as use.
    * The window was nearly full when the acknowledgement came. The mark of one moment without data lasts
      a round trip, although the data that follows may fill the window. Nearly full: to three datagrams, as
      a fill stops at whole datagrams; in slow start half is enough, because the window has doubled since
      the data now in flight was let go.
    """
    if not summary.is_app_limited:
        return True
    if in_slow_start:
        return 2 * summary.prior_in_flight >= window
    return summary.prior_in_flight + _WINDOW_SLACK_PACKETS * max_datagram_size >= window
