"""The network with alarms: what the applications at its nodes want to do at a certain time.

Owns: the alarms. May not know: who set them.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from network import Network

Alarm = Callable[[], None]


class Clockwork(Network):
    """A `Network` that calls back. Alarms of the same time go off in the order in which they were set."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._alarm_count = 0

    def call_after(self, delay: float, alarm: Alarm) -> None:
        """Call `alarm()` in `delay` seconds, then drive all nodes."""
        self._alarm_count += 1
        heapq.heappush(self._alarms, (self.now + delay, self._alarm_count, alarm))

    def _next_at(self) -> float | None:
        at = super()._next_at()
        if self._alarms and (at is None or self._alarms[0][0] < at):
            return max(self._alarms[0][0], self.now)
        return at

    def _step(self, at: float) -> None:
        if not self._alarms or self._alarms[0][0] > at:
            super()._step(at)
            return
        self.now = at
        _, _, alarm = heapq.heappop(self._alarms)
        alarm()
        self._drive_all()
