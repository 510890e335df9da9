"""Log lines that clients can cause, at most one a second of each kind (H44).

Owns: when a line may be written, and how many were not. May not know: what the lines are about.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from fastmux.tunnel import constants as c


class OccasionalLog:
    """One kind of line. Those that come sooner than PROXY_LOG_INTERVAL after the last are counted instead."""

    def __init__(
        self, logger: logging.Logger, level: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._level = level
        self._clock = clock
        self._next_at = float("-inf")
        self._untold = 0

    def add(self, text: str, *arguments: object) -> None:
        """Write a line, %-formatted, if it is time for one; it tells how many there were since the last."""
        now = self._clock()
        if now < self._next_at:
            self._untold += 1
            return
        more = f" (and {self._untold} more since the last line)" if self._untold else ""
        self._logger.log(self._level, text + "%s", *arguments, more)
        self._next_at = now + c.PROXY_LOG_INTERVAL
        self._untold = 0
