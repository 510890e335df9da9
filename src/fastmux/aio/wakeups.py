"""Tasks that a driver's work wakes run in the same turn of the event loop, right behind that work.

Owns: on which loops they do so. May not know: what is waited for, and what the driver does.

A future of asyncio's wakes its task by a call in the loop's next turn: one more pass of the loop, with its
system call, for each request that comes, and a handle for each task. With the core's `Wakeups` the tasks that
were woken while the driver was at work go on as soon as it is done, when nobody else is in the middle of
anything, and what they write leaves with them. Woken at any other time they go on as with a future.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from fastmux import core
from fastmux.aio.loop import Loop, Waiter


class Wakeups(Protocol):
    """What wakes the tasks that wait for a driver's news.

    Used so: `begin`, work that wakes, `end`; then, if that is True, `resume`, once everything is in order
    that user code may look at. `is_open` in between.
    """

    @property
    def is_open(self) -> bool:
        """True between `begin` and `end`."""
        ...

    def create_future(self) -> Waiter[Any]:
        """Make what one task waits for."""
        ...

    def call_soon(self, callback: Callable[[], object], /) -> object:
        """Call it behind those who are woken in this turn; without an open turn in the loop's next one."""
        ...

    def begin(self) -> None:
        """From now on those who are woken are kept."""
        ...

    def end(self) -> bool:
        """Keep no more. True if somebody was woken since `begin`, and waits for `resume`."""
        ...

    def resume(self) -> None:
        """Let those who were woken go on, each until it awaits again."""
        ...


def wakeups_of(loop: Loop) -> Wakeups:
    """The wake-ups for a driver on this loop: its tasks go on directly where they are asyncio's.

    Not in asyncio's debug mode, where the loop says of each call how long it took, and of which task it was.
    """
    if isinstance(loop, asyncio.AbstractEventLoop) and not loop.get_debug():
        return core.Wakeups(loop, asyncio.CancelledError)
    return LateWakeups(loop)


class LateWakeups:
    """Leaves it to the loop when tasks go on."""

    __slots__ = ("call_soon", "create_future")

    is_open = False

    def __init__(self, loop: Loop) -> None:
        self.create_future = loop.create_future
        self.call_soon = loop.call_soon

    def begin(self) -> None:
        """Nothing is kept."""

    def end(self) -> bool:
        """Nobody waits for `resume`."""
        return False

    def resume(self) -> None:
        """There is nobody to resume."""
