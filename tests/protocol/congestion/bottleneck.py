"""A path with one queue, in virtual time: what congestion controllers are measured on.

Senders share a link of `rate` bytes a second with a queue of `queue_size` bytes in front of it, which
drops what does not fit. Acknowledgements take `delay` and are handed out once a tick, as a train of them
would be. A loss is noticed when the datagram would have been acknowledged. Nothing is paced.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from fastmux.protocol.congestion.base import CongestionController
from fastmux.protocol.rtt import RttEstimator
from protocol.summaries import NOTHING

DATAGRAM = 1200
TICK = 0.001


@dataclass
class Sender:
    """One flow: its controller, what it has in flight, and what came of it."""

    controller: CongestionController
    rtt: RttEstimator = field(default_factory=RttEstimator)
    in_flight: int = 0
    delivered: int = 0
    lost: int = 0
    windows: list[int] = field(default_factory=list)  # one a tick
    # What the sender is yet to learn: (at, sent_at, was_lost).
    returning: deque[tuple[float, float, bool]] = field(default_factory=deque)

    def take_returned(self, now: float) -> None:
        """Hand the controller what has come back by now."""
        acked: list[float] = []
        lost: list[float] = []
        while self.returning and self.returning[0][0] <= now:
            _, sent_at, was_lost = self.returning.popleft()
            (lost if was_lost else acked).append(sent_at)
        if not acked and not lost:
            return
        if acked:
            self.rtt.update(now - acked[-1], 0.0, 0.025, True)
        prior_in_flight = self.in_flight
        self.in_flight -= DATAGRAM * (len(acked) + len(lost))
        self.delivered += DATAGRAM * len(acked)
        self.lost += DATAGRAM * len(lost)
        summary = NOTHING._replace(
            acked_size=DATAGRAM * len(acked),
            acked_packets=len(acked),
            largest_acked_sent_at=acked[-1] if acked else 0.0,
            latest_rtt=self.rtt.latest_rtt if acked else None,
            lost_size=DATAGRAM * len(lost),
            lost_packets=len(lost),
            largest_lost_sent_at=lost[-1] if lost else None,
            prior_in_flight=prior_in_flight,
            bytes_in_flight=self.in_flight,
        )
        self.controller.on_summary(summary, self.rtt, now)


def run(senders: Sequence[Sender], rate: float, delay: float, queue_size: int, duration: float) -> None:
    """Let all senders send as much as their windows allow for `duration` seconds."""
    busy_until = 0.0
    for tick in range(int(duration / TICK)):
        now = tick * TICK
        for sender in senders:
            sender.take_returned(now)
            sender.windows.append(sender.controller.congestion_window)
        blocked = False
        while not blocked:  # datagram by datagram in turn, so that no sender owns the queue
            blocked = True
            for sender in senders:
                if sender.in_flight + DATAGRAM > sender.controller.congestion_window:
                    continue
                blocked = False
                sender.in_flight += DATAGRAM
                was_lost = max(busy_until - now, 0.0) * rate + DATAGRAM > queue_size
                if not was_lost:
                    busy_until = max(busy_until, now) + DATAGRAM / rate
                at = max(busy_until, now) + delay
                sender.returning.append((at, now, was_lost))


def reductions(windows: Sequence[int]) -> list[float]:
    """By what factor the window fell, each time it did."""
    return [after / before for before, after in pairwise(windows) if after < before]
