"""What the sockets of a virtual host refuse, and when.

Owns: the schedule and its dice. May not know: what a datagram means, who asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal

Call = Literal["send", "receive"]
FOREVER: Final = math.inf


@dataclass(slots=True, kw_only=True)
class Fault:
    """One errno that a call gives between `start` and `stop` (virtual seconds), with `probability`.

    Of sending calls it concerns those with a datagram of `min_size` bytes at least, and only trains of
    several (GSO) if `trains_only`. `count` is how often it can still happen. After one that means "no room"
    the socket has none for `pause` seconds.
    """

    code: int
    call: Call = "send"
    start: float = 0.0
    stop: float = FOREVER
    probability: float = 1.0
    min_size: int = 0
    trains_only: bool = False
    count: float = FOREVER
    pause: float = 0.001

    def moved(self, seconds: float) -> Fault:
        """The same, so much later."""
        return replace(self, start=self.start + seconds, stop=self.stop + seconds)


class Schedule:
    """The faults of one host. `happened` counts them by errno."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.faults: list[Fault] = []
        self.happened: dict[int, int] = {}

    def add(self, fault: Fault) -> None:
        """One more; of several that fit a call the first decides."""
        self.faults.append(fault)

    def next(self, call: Call, now: float, size: int, is_train: bool) -> Fault | None:
        """The fault that this call meets, None if it succeeds."""
        for fault in self.faults:
            if fault.call != call or not fault.start <= now < fault.stop or fault.count < 1:
                continue
            if size < fault.min_size or (fault.trains_only and not is_train):
                continue
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            fault.count -= 1
            self.happened[fault.code] = self.happened.get(fault.code, 0) + 1
            return fault
        return None
