"""A path by script: feeds a controller the summaries that a flow at a given rate would see.

Acknowledgements come evenly, each for what was sent one round trip before.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from fastmux.protocol.congestion.bbr import Bbr
from fastmux.protocol.congestion.bbr_states import State
from fastmux.protocol.rtt import RttEstimator
from fastmux.records import AckSummary
from protocol.summaries import NOTHING

SIZE = 1200
RATE = 1_200_000.0  # bytes a second: 100 datagrams a round trip
RTT = 0.1
BDP = RATE * RTT
ACKS = 4  # a round


def fixed_bytes(size: int) -> bytes:
    """Dice that always fall alike: no round less to wait, and 2.5 seconds."""
    return bytes([0, 128, 0][:size])


def sample(
    *,
    delivered: float,
    prior: float,
    rate: float | None = RATE,
    size: float = SIZE,
    in_flight: float = 0,
    tx_in_flight: float = 0,
    rtt: float | None = None,
    is_app_limited: bool = False,
) -> AckSummary:
    """`size` bytes newly acknowledged, `delivered` with them, `prior` when the packet was sent."""
    return NOTHING._replace(
        acked_size=int(size),
        acked_packets=max(int(size) // SIZE, 1),
        delivered=int(delivered),
        prior_delivered=int(prior),
        delivery_rate=rate,
        prior_in_flight=int(in_flight + size),
        bytes_in_flight=int(in_flight),
        tx_in_flight=int(tx_in_flight),
        latest_rtt=rtt,
        is_app_limited=is_app_limited,
    )


class ScriptedPath:
    """Drives a controller through rounds. `now` is when the last acknowledgement came."""

    def __init__(self, controller: Bbr | None = None) -> None:
        self.controller = controller or Bbr(SIZE, fixed_bytes)
        self.rtt = RttEstimator()
        self.now = 100.0
        self.delivered = 0.0
        self._history: deque[tuple[float, float]] = deque([(0.0, 0.0)])  # (at, delivered)

    def is_in(self, state: State) -> bool:
        """True if that is the controller's state."""
        return self.controller.state is state

    def _delivered_at(self, at: float) -> float:
        """What was delivered by then; later questions are for later times."""
        while len(self._history) > 1 and self._history[1][0] <= at:
            self._history.popleft()
        return self._history[0][1]

    def round(
        self,
        rate: float = RATE,
        rtt: float = RTT,
        *,
        in_flight: float | None = None,
        is_app_limited: bool = False,
        lost_share: float = 0.0,
        acks: int = ACKS,
        **news: Any,
    ) -> None:
        """A round trip at this delivery rate; `in_flight` is what is left after each acknowledgement.

        `lost_share` of what is sent is lost, one run an acknowledgement.
        """
        flight = rate * rtt
        in_flight = flight if in_flight is None else in_flight
        self.rtt.update(rtt, 0.0, 0.025, True)
        for _ in range(acks):
            self.now += rtt / acks
            size = flight / acks
            self.delivered += size
            self._history.append((self.now, self.delivered))
            summary = sample(
                delivered=self.delivered,
                prior=self._delivered_at(self.now - rtt + 1e-6),
                rate=rate,
                size=size,
                in_flight=in_flight,
                tx_in_flight=in_flight + size,
                rtt=rtt,
                is_app_limited=is_app_limited,
            )
            if lost_share:
                lost = int(lost_share * size)
                summary = summary._replace(
                    lost_size=lost,
                    lost_packets=1,
                    lost_runs=1,
                    largest_lost_sent_at=self.now - rtt,
                    lost_since_sent=int(lost_share * flight),
                )
            self.controller.on_summary(summary._replace(**news), self.rtt, self.now)

    def rounds(self, count: int, rate: float = RATE, **how: Any) -> None:
        """Several rounds alike."""
        for _ in range(count):
            self.round(rate, **how)

    def fill_pipe(self) -> None:
        """Through Startup and Drain into the cycle, in a path of RATE and RTT."""
        for exponent in range(5, 0, -1):
            self.round(RATE / 2**exponent)
        self.rounds(4, in_flight=2 * BDP)
        self.round(in_flight=BDP)
