"""Trying several addresses: in their order, a little apart, the first that works wins (RFC 8305 §5).

Owns: when the next attempt begins and what becomes of the others. May not know: what an attempt does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from fastmux.exceptions import AuthenticationError

T = TypeVar("T")

ATTEMPT_DELAY: Final = 0.25  # seconds that an attempt has for itself (RFC 8305 §8)


async def first_success(
    attempts: Sequence[Callable[[], Coroutine[Any, Any, T]]], discard: Callable[[T], None]
) -> T:
    """The result of the first attempt that succeeds. Cancels the others; `discard` gets what they still gave.

    Raises the first attempt's error if all fail (OSError), and an `AuthenticationError` at once: another
    address of the same name would not be another peer. `attempts` has at least one.
    """
    if len(attempts) == 1:  # nothing to choose from: no task beside the caller's
        return await attempts[0]()
    waiting = list(attempts)
    tasks: list[asyncio.Task[T]] = []
    try:
        while True:
            if waiting:
                tasks.append(asyncio.ensure_future(waiting.pop(0)()))
            running = [task for task in tasks if not task.done()]
            await asyncio.wait(
                running,
                timeout=ATTEMPT_DELAY if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            winner = _winner(tasks)
            if winner is not None:
                tasks.remove(winner)
                return winner.result()
            if not waiting and all(task.done() for task in tasks):
                return tasks[0].result()  # raises
    finally:
        await _discard(tasks, discard)


def _winner(tasks: list[asyncio.Task[T]]) -> asyncio.Task[T] | None:
    """The first task that has succeeded. Raises what ends the search."""
    for task in tasks:
        if task.done():
            error = task.exception()
            if error is None:
                return task
            if isinstance(error, AuthenticationError) or not isinstance(error, OSError):
                raise error
    return None


async def _discard(tasks: list[asyncio.Task[T]], discard: Callable[[T], None]) -> None:
    """Cancel and await the tasks; none of their errors matters any more."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(result, BaseException):
            discard(result)
