"""Keeps an event loop awake between datagrams that follow each other closely.

Owns: when that pays, and for how long. May not know: sockets, what is read, who else is on the loop.

To sleep until a datagram comes and to be woken costs some tens of microseconds, on both ends' processors and
on the way of every request. Where answers come faster than that it is cheaper not to sleep: the loop takes
turns that find nothing, in which everybody else has his turn too. Spinning for as long as a sleep costs is
never dearer than twice the best choice (Karlin, Li, Manasse and Owicki, "Empirical Studies of Competitive
Spinning for a Shared-Memory Multiprocessor", 1991). The limit is about twice that, for the other end sleeps
too at first, and its first answers come late; who waited in vain waits less often.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from fastmux.aio.clock import clock_of
from fastmux.aio.loop import Loop
from fastmux.constants import BRISK_FACTOR, FIRST_BUSY_POLL_PAUSE, MAX_BUSY_POLL_PAUSE


def busy_polling(loop: Loop, limit: float, on_readable: Callable[[], None]) -> Callable[[], None]:
    """What to call in place of `on_readable`; itself where busy polling for up to `limit` seconds cannot pay.

    That is on loops that are not asyncio's kind, in their debug mode, or with a time of their own, and for a
    process that has one processor only, which the other end may need.
    """
    is_plain = isinstance(loop, asyncio.AbstractEventLoop) and not loop.get_debug()
    if limit > 0 and is_plain and clock_of(loop) is time.monotonic and processors() > 1:
        return BusyPolling(loop.call_soon, limit, on_readable).on_readable
    return on_readable


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class BusyPolling:
    """Watches the gaps between the work that one socket brings.

    Invariant: while `_is_polling` a call of `_poll` waits in the loop, which therefore does not sleep; it
    ends at `_until`. `_pause` is how many brisk arrivals the next failure makes it sit out, `_left` how many
    of these are left.
    """

    __slots__ = (
        "_call_soon",
        "_clock",
        "_is_polling",
        "_left",
        "_limit",
        "_pause",
        "_rested_at",
        "_until",
        "_work",
    )

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], object],
        limit: float,
        work: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._call_soon = call_soon
        self._limit = limit
        self._work = work
        self._clock = clock
        self._rested_at = float("-inf")
        self._until = 0.0
        self._is_polling = False
        self._pause = 1
        self._left = FIRST_BUSY_POLL_PAUSE

    def on_readable(self) -> None:
        """Do the work, and see whether the next will come at once."""
        is_brisk = self._clock() - self._rested_at < self._limit * BRISK_FACTOR
        self._work()
        now = self._rested_at = self._clock()
        if self._is_polling:
            self._pause = 1
            self._until = now + self._limit
        elif is_brisk:
            if self._left:
                self._left -= 1
            else:
                self._is_polling = True
                self._until = now + self._limit
                self._call_soon(self._poll)

    def _poll(self) -> None:
        if self._clock() < self._until:
            self._call_soon(self._poll)
            return
        self._is_polling = False
        self._left = self._pause
        self._pause = min(2 * self._pause, MAX_BUSY_POLL_PAUSE)
