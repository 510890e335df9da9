"""Tasks that open channels, and wait where the peer's limit of channels is reached.

Owns: their order. May not know: what is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fastmux.aio.loop import Waiters
from fastmux.aio.waiters import WaiterQueue
from fastmux.exceptions import WouldBlock

T = TypeVar("T")


class Openers:
    """First come, first served; one for each kind of channel.

    Invariant: nobody opens while somebody who came earlier waits.
    """

    __slots__ = ("_queue",)

    def __init__(self, maker: Waiters) -> None:
        self._queue = WaiterQueue(maker)

    async def open(self, attempt: Callable[[], T]) -> T:
        """Call `attempt` until it does not raise `WouldBlock`; between calls wait for `wake`.

        Cancelled while it waits, nothing was opened. Raises whatever else `attempt` raises.
        """
        if not self._queue:
            try:
                return attempt()
            except WouldBlock:
                pass  # the line begins here
        place = self._queue.join()
        if len(self._queue) == 1:
            self._queue.wake_first()
        try:
            while True:
                if not place.done():
                    await place
                try:
                    return attempt()
                except WouldBlock:
                    place = self._queue.again(place)
        finally:
            self._queue.leave(place)
            self._queue.wake_first()

    def wake(self) -> None:
        """The limit may have been raised."""
        self._queue.wake_first()

    def wake_all(self) -> None:
        """Everybody's attempt will raise now."""
        self._queue.wake_all()
