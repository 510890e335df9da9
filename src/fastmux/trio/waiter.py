"""What one trio task waits for.

Owns: parking and waking the task. May not know: who wakes it, for what.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import trio


class TrioWaiter:
    """A future without errors, for one task.

    Invariant: `_task` is the task that is parked here, None while none is. A task that is cancelled leaves;
    a task that was woken returns, even if it is cancelled at the same moment.
    """

    __slots__ = ("_is_done", "_result", "_task")

    def __init__(self) -> None:
        self._is_done = False
        self._result: Any = None
        self._task: trio.lowlevel.Task | None = None

    def done(self) -> bool:
        """True once there is a result."""
        return self._is_done

    def set_result(self, result: Any, /) -> None:
        """Wake the task. Raises RuntimeError if that was done before."""
        if self._is_done:
            raise RuntimeError("this waiter was woken before")
        self._is_done = True
        self._result = result
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    def __await__(self) -> Generator[Any, None, Any]:
        if not self._is_done:
            self._task = trio.lowlevel.current_task()
            yield from trio.lowlevel.wait_task_rescheduled(self._leave).__await__()
        return self._result

    def _leave(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED
