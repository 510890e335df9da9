"""What the rooms of `aio` ask of an event loop.

Owns: the interface. May not know: who has it. The loops of asyncio and uvloop do, and `fastmux.trio` makes
one out of trio's: driver, connections and channels run on either without knowing on which.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Waiter(Protocol[T]):
    """What a task awaits: a future of this loop, without errors and without callbacks."""

    def done(self) -> bool:
        """True once there is a result, or once the task that waited was cancelled."""
        ...

    def set_result(self, result: T, /) -> None:
        """Wake the task. Not to be called when `done`."""
        ...

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the result."""
        ...


class Handle(Protocol):
    """A call to come."""

    def cancel(self) -> None:
        """Do not call; may be repeated, also after the call."""
        ...


class Waiters(Protocol):
    """Makes waiters: a loop, or the wake-ups of a driver on it (`aio/wakeups.py`)."""

    def create_future(self) -> Waiter[Any]:
        """Make what one task waits for."""
        ...


class Loop(Waiters, Protocol):
    """Calls back; all but `call_soon_threadsafe` in the loop's own thread. Delays are in seconds."""

    def call_soon(self, callback: Callable[[], object], /) -> object:
        """Call it in the next turn, after everything that was asked for before."""
        ...

    def call_soon_threadsafe(self, callback: Callable[[], object], /) -> object:
        """The same, from anywhere, even from a finalizer. Raises RuntimeError if the loop is closed."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Handle:
        """Call it when the delay is over."""
        ...


class WatchingLoop(Loop, Protocol):
    """One that watches descriptors, too."""

    def add_reader(self, fd: int, callback: Callable[[], object], /) -> object:
        """Call it in every turn in which the descriptor can be read."""
        ...

    def remove_reader(self, fd: int, /) -> object:
        """No longer do so; the descriptor may be closed then."""
        ...

    def add_writer(self, fd: int, callback: Callable[[], object], /) -> object:
        """Call it in every turn in which the descriptor can be written."""
        ...

    def remove_writer(self, fd: int, /) -> object:
        """No longer do so."""
        ...

    def is_closed(self) -> bool:
        """True once the loop will never run again."""
        ...
