"""Says in the log why clients were refused, without letting them fill it.

Owns: which refusals are warnings, and at most one line a second of them. May not know: what a handshake is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from fastmux.exceptions import AuthenticationError
from fastmux.protocol.events import Address

LINE_INTERVAL: Final = 1.0  # seconds between warnings: strangers decide how often they fail (H44)

logger = logging.getLogger("fastmux.server")


class RefusalLog:
    """A failed proof of identity is a WARNING, anything else (garbage, silence, other versions) an INFO.

    Warnings that come sooner than LINE_INTERVAL after the last are counted; the next one tells how many.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._next_at = float("-inf")
        self._untold = 0

    def add(self, address: Address, error: ConnectionError) -> None:
        """The handshake with `address` failed for the reason that `error` gives."""
        if not isinstance(error, AuthenticationError):
            logger.info("no connection with %s port %d: %s", address[0], address[1], error)
            return
        now = self._clock()
        if now < self._next_at:
            self._untold += 1
            return
        more = f" (and {self._untold} more refusals since the last line)" if self._untold else ""
        logger.warning("no connection with %s port %d: %s%s", address[0], address[1], error, more)
        self._next_at = now + LINE_INTERVAL
        self._untold = 0
