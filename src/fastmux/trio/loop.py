"""trio's loop as the rooms of `aio` know loops: calls soon, calls later, calls when a socket is ready.

Owns: one system task that makes the calls, one for each watched socket. May not know: what is called.
System tasks, not a nursery of the user's: a closed connection still answers stragglers for a moment, and
`await connect(…)` has no block around it. None of them runs a user's code.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Final

import trio

from fastmux.trio.waiter import TrioWaiter

logger = logging.getLogger("fastmux.trio")

_MANY_CANCELLED: Final = 100  # timers that may lie about cancelled; the driver cancels most of its timers


class _Timer:
    """A call to come."""

    __slots__ = ("_loop", "at", "callback")

    def __init__(self, loop: TrioLoop, at: float, callback: Callable[[], object]) -> None:
        self._loop = loop
        self.at = at
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Do not call."""
        if self.callback is not None:
            self.callback = None
            self._loop.on_timer_cancelled()


class _End:
    """A call to come when the run ends."""

    __slots__ = ("_calls", "callback")

    def __init__(self, calls: dict[_End, None], callback: Callable[[], object]) -> None:
        self._calls = calls
        self.callback = callback
        calls[self] = None

    def cancel(self) -> None:
        """Do not call; may be repeated, also after the call."""
        self._calls.pop(self, None)


class _Watch:
    """A descriptor and what to call when it is ready, as long as it is not removed."""

    def __init__(
        self, fd: int, wait: Callable[[int], Awaitable[None]], callback: Callable[[], object]
    ) -> None:
        self._fd = fd
        self._wait = wait
        self._callback = callback
        self.is_removed = False

    async def run(self) -> None:
        """Call back until removed."""
        while not self.is_removed:
            try:
                await self._wait(self._fd)
            except trio.ClosedResourceError:
                continue  # a watch of the same descriptor was removed, perhaps this one
            if not self.is_removed:
                call(self._callback)


def call(callback: Callable[[], object]) -> None:
    """Make a call; an error in it is a bug, which must not take the other connections with it."""
    try:
        callback()
    except Exception:
        logger.exception("a call of the loop failed: %r", callback)


class TrioLoop:
    """A `WatchingLoop` for the trio run that it was made in. Get it by `running_loop`.

    Invariant: `_pump` is the task that makes the calls while it has nothing to do, None while it works;
    `_scope` lets it go at the time of the earliest timer. `_timers` are in order of their time, cancelled
    ones among them, `_cancelled` in number.
    """

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._ready: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[float, int, _Timer]] = []
        self._numbers = count()
        self._cancelled = 0
        self._scope = trio.CancelScope()
        self._pump: trio.lowlevel.Task | None = None
        self._readers: dict[int, _Watch] = {}
        self._writers: dict[int, _Watch] = {}
        self._ends: dict[_End, None] = {}
        self._is_closed = False
        trio.lowlevel.spawn_system_task(self._run, name="fastmux loop")

    # --- Loop ---------------------------------------------------------------------------------------

    def create_future(self) -> TrioWaiter:
        """Make what one task waits for."""
        return TrioWaiter()

    def call_soon(self, callback: Callable[[], object], /) -> None:
        """Call it in the next turn."""
        self._ready.append(callback)
        self._wake()

    def call_soon_threadsafe(self, callback: Callable[[], object], /) -> None:
        """The same, from anywhere. Raises RuntimeError if the run is over."""
        self._token.run_sync_soon(call, callback)

    def call_later(self, delay: float, callback: Callable[[], object], /) -> _Timer:
        """Call it when the delay, in seconds of trio's clock, is over."""
        timer = _Timer(self, trio.current_time() + delay, callback)
        heappush(self._timers, (timer.at, next(self._numbers), timer))
        self._scope.deadline = min(self._scope.deadline, timer.at)
        return timer

    def at_end(self, callback: Callable[[], object]) -> _End:
        """Call it when the run ends, before its sockets are closed."""
        return _End(self._ends, callback)

    # --- WatchingLoop -------------------------------------------------------------------------------

    def add_reader(self, fd: int, callback: Callable[[], object], /) -> None:
        """Call it again and again while the descriptor can be read."""
        self._watch(self._readers, fd, trio.lowlevel.wait_readable, callback)

    def remove_reader(self, fd: int, /) -> None:
        """No longer do so."""
        self._unwatch(self._readers, fd)

    def add_writer(self, fd: int, callback: Callable[[], object], /) -> None:
        """Call it again and again while the descriptor can be written."""
        self._watch(self._writers, fd, trio.lowlevel.wait_writable, callback)

    def remove_writer(self, fd: int, /) -> None:
        """No longer do so."""
        self._unwatch(self._writers, fd)

    def is_closed(self) -> bool:
        """True once the run is over."""
        return self._is_closed

    def _watch(
        self,
        watches: dict[int, _Watch],
        fd: int,
        wait: Callable[[int], Awaitable[None]],
        callback: Callable[[], object],
    ) -> None:
        self._unwatch(watches, fd)
        watch = watches[fd] = _Watch(fd, wait, callback)
        trio.lowlevel.spawn_system_task(watch.run, name=f"fastmux socket {fd}")

    def _unwatch(self, watches: dict[int, _Watch], fd: int) -> None:
        watch = watches.pop(fd, None)
        if watch is not None:
            watch.is_removed = True
            trio.lowlevel.notify_closing(fd)  # it may be closed next: nobody may wait for it then

    # --- the task that calls ------------------------------------------------------------------------

    def on_timer_cancelled(self) -> None:
        """Sweep, when most timers are cancelled."""
        self._cancelled += 1
        if self._cancelled > _MANY_CANCELLED and self._cancelled * 2 > len(self._timers):
            self._timers = [entry for entry in self._timers if entry[2].callback is not None]
            heapify(self._timers)
            self._cancelled = 0

    def _wake(self) -> None:
        if self._pump is not None:
            trio.lowlevel.reschedule(self._pump)
            self._pump = None

    async def _run(self) -> None:
        try:
            while True:
                with trio.CancelScope(deadline=self._deadline()) as self._scope:
                    await self._call_ready()
                self._call_due()
        finally:
            for end in list(self._ends):
                end.cancel()
                call(end.callback)
            self._is_closed = True

    async def _call_ready(self) -> None:
        """Make the calls as they come, a turn for everybody else in between; ends by cancellation."""
        while True:
            for _ in range(len(self._ready)):
                call(self._ready.popleft())
            if self._ready:
                await trio.lowlevel.checkpoint()
            else:
                self._pump = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._leave)

    def _leave(self, _: object) -> trio.lowlevel.Abort:
        self._pump = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _deadline(self) -> float:
        return self._timers[0][0] if self._timers else inf

    def _call_due(self) -> None:
        now = trio.current_time()
        while self._timers and self._timers[0][0] <= now:
            timer = heappop(self._timers)[2]
            callback, timer.callback = timer.callback, None
            if callback is None:
                self._cancelled -= 1
            else:
                call(callback)


_running: Final[trio.lowlevel.RunVar[TrioLoop]] = trio.lowlevel.RunVar("fastmux loop")


def running_loop() -> TrioLoop:
    """The loop of this trio run; made when it is first asked for. Raises RuntimeError outside of trio."""
    try:
        return _running.get()
    except LookupError:
        loop = TrioLoop()
        _running.set(loop)
        return loop
