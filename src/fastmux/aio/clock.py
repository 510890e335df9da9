"""The clock that connections on an event loop go by.

Owns: the choice. May not know: what the time is for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


def clock_of(loop: object) -> Callable[[], float]:
    """The monotonic clock; or the loop's own, where a subclass of asyncio's loops has another.

    A loop with virtual time, as tests have it, would else have its timers fire at times that mean nothing to
    the connections on it. uvloop's `time` is that of the turn, in milliseconds: too coarse for round trips.
    """
    if isinstance(loop, asyncio.BaseEventLoop) and type(loop).time is not asyncio.BaseEventLoop.time:
        return loop.time
    return time.monotonic
