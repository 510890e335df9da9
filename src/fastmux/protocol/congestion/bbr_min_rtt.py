"""The round trip without a queue (draft-ietf-ccwg-bbr-06 §5.3.4.3, §5.5.7), and when to look for it again.

Owns: the two minimum filters. May not know: how a queue is drained.
"""

from __future__ import annotations

import math
from typing import Final

FILTER_TIME: Final = 10.0  # MinRTTFilterLen: a minimum is believed for so long
PROBE_INTERVAL: Final = 5.0  # ProbeRTTInterval: without a lower one for so long, drain the queue and look


class MinRtt:
    """`value` is the minimum, seconds, `inf` before the first sample.

    The minimum of the shorter filter becomes the value when it is lower, or when the value has expired: so
    the value rises only after a look at a drained queue, or after silence.
    """

    __slots__ = ("_probed_at", "_recent", "_valued_at", "is_probe_due", "value")

    def __init__(self) -> None:
        self.value = math.inf
        self.is_probe_due = False
        self._valued_at = -math.inf
        self._recent = math.inf
        self._probed_at = math.inf

    def on_sample(self, rtt: float | None, now: float) -> None:
        """Take the RTT sample of an acknowledgement, None if it gave none."""
        self.is_probe_due = now > self._probed_at + PROBE_INTERVAL
        if rtt is not None and (rtt < self._recent or self.is_probe_due):
            self._recent = rtt
            self._probed_at = now
        if self._recent < self.value or now > self._valued_at + FILTER_TIME:
            self.value = self._recent
            self._valued_at = self._probed_at

    def on_probed(self, now: float) -> None:
        """The queue was drained and looked through: the next look is an interval away."""
        self._probed_at = now
