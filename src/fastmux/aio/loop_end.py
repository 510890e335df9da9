"""What is to be done when asyncio's loop ends.

Owns: how that is heard of. May not know: what is done. `asyncio.run` cancels the tasks that there are, and
whoever is cancelled may begin something that needs a while: a task for that would be left behind. After the
tasks the loop closes the asynchronous generators that were begun on it, so one of these waits here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import Any


class LoopEnd:
    """Calls `callback` once when the running loop ends, unless it was cancelled before. Take it in the loop.

    It does so where the loop is run as `asyncio.run` does: with `shutdown_asyncgens` behind the tasks.
    """

    __slots__ = ("_callback", "_generator")

    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback
        self._generator = self._wait()
        _step(self._generator.__anext__())  # by this the loop gets to know of it

    async def _wait(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            callback, self._callback = self._callback, None
            if callback is not None:
                callback()

    def cancel(self) -> None:
        """Do not call; may be repeated, also after the call."""
        if self._callback is not None:
            self._callback = None
            _step(self._generator.aclose())


def _step(awaitable: Coroutine[Any, Any, None]) -> None:
    """Run what waits for nothing."""
    with suppress(StopIteration):
        awaitable.send(None)
