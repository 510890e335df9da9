"""Stand in where tasks wait on a channel, and call back instead.

Owns: how a wake-up becomes a call. May not know: what is done then. A callback must be quick and must not
run a user's code: it is called while the connection's events are handed out.
"""

from __future__ import annotations

from collections.abc import Callable

from fastmux.aio.loop import Waiters
from fastmux.aio.waiters import WaiterQueue, WaiterSlot


class CallbackSlot(WaiterSlot):
    """Taken for good: tasks that want the place get `BusyResourceError`."""

    __slots__ = ("_on_wake",)

    def __init__(self, maker: Waiters, what: str, on_wake: Callable[[], None]) -> None:
        super().__init__(maker, what)
        self._on_wake = on_wake
        self.claim()

    def wake(self) -> None:
        """Call back."""
        self._on_wake()


class CallbackQueue(WaiterQueue):
    """Tasks may still stand in line; the one that calls back is told of every wake-up, too."""

    __slots__ = ("_on_wake",)

    def __init__(self, maker: Waiters, on_wake: Callable[[], None]) -> None:
        super().__init__(maker)
        self._on_wake = on_wake

    def wake_first(self) -> None:
        """Wake the first in line, and call back."""
        super().wake_first()
        self._on_wake()

    def wake_all(self) -> None:
        """Wake everybody, and call back."""
        super().wake_all()
        self._on_wake()
