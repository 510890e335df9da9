"""Tasks that are woken while a driver is at work, and go on when it is done.

Owns: one task's waiting, as a coroutine awaits it and asyncio's tasks go on after it, and the order of those
who were woken. May not know: what is waited for, and which event loop it is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, Protocol, final


class Loop(Protocol):
    """What is asked of an event loop."""

    def call_soon(self, callback: Callable[..., object], /, *arguments: Any, context: Any = None) -> object:
        """Call it in the loop's next turn."""
        ...


@final
class Wakeups:
    """Keeps who is woken between `begin` and `end`; then `resume` lets them go on.

    `cancelled` is what a cancelled task gets (`asyncio.CancelledError`).

    Invariant: `_woken` are those to resume, in the order in which they were woken: waiters, and pairs of a
    call and its context. None is added unless wake-ups are being kept, and none are kept while they run.
    """

    __slots__ = ("_cancelled", "_is_open", "_loop", "_woken")

    def __init__(self, loop: Loop, cancelled: type[BaseException], /) -> None:
        self._loop = loop
        self._cancelled = cancelled
        self._woken: list[TaskWaiter | tuple[Callable[[], object], Context]] = []
        self._is_open = False

    def __reduce__(self) -> str:
        raise TypeError("cannot pickle or copy Wakeups")

    @property
    def is_open(self) -> bool:
        """True between `begin` and `end`."""
        return self._is_open

    def create_future(self) -> TaskWaiter:
        """Make what one task waits for."""
        return TaskWaiter(self)

    def call_soon(self, callback: Callable[[], object], /) -> None:
        """Call it behind those who are woken in this turn; without an open turn in the loop's next one."""
        if self._is_open:
            self._woken.append((callback, copy_context()))
        else:
            self._loop.call_soon(callback)

    def begin(self) -> None:
        """From now on those who are woken are kept."""
        self._is_open = True

    def end(self) -> bool:
        """Keep no more. True if somebody was woken since `begin`, and waits for `resume`."""
        self._is_open = False
        return bool(self._woken)

    def resume(self) -> None:
        """Let those who were woken go on, each until it awaits again.

        A task keeps its own errors. What it lets through is meant to end the loop (KeyboardInterrupt,
        SystemExit), and what a call raises is for the loop's exception handler: it is raised here, and those
        behind it go on in the loop's next turn. Raises RuntimeError while wake-ups are being kept.
        """
        if self._is_open:
            raise RuntimeError("wake-ups are being kept")
        woken, self._woken = self._woken, []
        position = 0
        try:
            for each in woken:
                position += 1
                if isinstance(each, TaskWaiter):
                    each._go_on()
                else:
                    each[1].run(each[0])
        finally:
            for each in woken[position:]:
                if isinstance(each, TaskWaiter):
                    each._go_on_later()
                else:
                    self._loop.call_soon(each[0], context=each[1])


@final
class TaskWaiter:
    """A future without errors, for one task of asyncio's: what `Wakeups.create_future` makes.

    Invariant: `_resume` is how the task that awaits goes on, in `_context`; None while nobody awaits.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_context",
        "_is_cancelled",
        "_is_done",
        "_message",
        "_result",
        "_resume",
        "_wakeups",
    )

    # asyncio's tasks know by this name what they can await, and set it while they do
    _asyncio_future_blocking: bool
    _context: Context | None
    _is_cancelled: bool
    _is_done: bool
    _message: object
    _result: Any
    _resume: Callable[[TaskWaiter], object] | None
    _wakeups: Wakeups

    def __init__(self, wakeups: Wakeups, /) -> None:
        self._wakeups = wakeups
        self._resume = self._context = self._message = self._result = None
        self._is_done = self._is_cancelled = self._asyncio_future_blocking = False

    def __reduce__(self) -> str:
        raise TypeError("cannot pickle or copy TaskWaiter")

    def done(self) -> bool:
        """True once there is a result, or the task that waited was cancelled."""
        return self._is_done

    def cancelled(self) -> bool:
        """True if the task that waited was cancelled."""
        return self._is_cancelled

    def get_loop(self) -> Loop:
        """The loop that it waits on."""
        return self._wakeups._loop

    def set_result(self, result: Any, /) -> None:
        """Wake the task. Raises RuntimeError when `done`."""
        if self._is_done:
            raise RuntimeError("this waiter was woken or cancelled before")
        self._is_done = True
        self._result = result
        if self._resume is None:
            return
        if self._wakeups._is_open:
            self._wakeups._woken.append(self)
        else:
            self._go_on_later()

    def cancel(self, msg: object = None) -> bool:
        """The task is cancelled; False if it was woken before. It goes on in the loop's next turn."""
        if self._is_done:
            return False
        self._is_done = self._is_cancelled = True
        self._message = msg
        if self._resume is not None:
            self._go_on_later()
        return True

    def result(self) -> Any:
        """What `set_result` gave. Raises the error of a cancelled task, RuntimeError before it is `done`."""
        if self._is_cancelled:
            raise self._wakeups._cancelled(*(() if self._message is None else (self._message,)))
        if not self._is_done:
            raise RuntimeError("this waiter was not woken yet")
        return self._result

    def add_done_callback(
        self, callback: Callable[[TaskWaiter], object], /, *, context: Context | None = None
    ) -> None:
        """The task that awaits leaves word how it goes on. Raises RuntimeError for anybody else."""
        if self._resume is not None or context is None:
            raise RuntimeError("only one task can await this, and nobody else can ask to be called")
        self._resume = callback
        self._context = context
        if self._is_done:
            self._go_on_later()

    def __await__(self) -> TaskWaiter:
        """Wait for the result."""
        return self

    def __iter__(self) -> TaskWaiter:
        """As `__await__`."""
        return self

    def __next__(self) -> TaskWaiter:
        """One step of awaiting."""
        if not self._is_done:
            if self._asyncio_future_blocking or self._resume is not None:
                raise RuntimeError("only one task can await this")
            self._asyncio_future_blocking = True
            return self
        if self._is_cancelled:
            self.result()
        raise StopIteration(self._result)

    def _go_on(self) -> None:
        assert self._context is not None and self._resume is not None
        self._context.run(self._resume, self)

    def _go_on_later(self) -> None:
        assert self._resume is not None
        self._wakeups._loop.call_soon(self._resume, self, context=self._context)
