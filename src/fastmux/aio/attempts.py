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
    tasks: list[asyncio.Task[T]] = []
    winner: asyncio.Task[T] | None = None
    try:
        winner = await _race(list(attempts), tasks)
    finally:
        try:
            await _discard([task for task in tasks if task is not winner], discard)
        except asyncio.CancelledError:  # nobody gets the winner's result any more
            if winner is not None:
                discard(winner.result())
            raise
    return winner.result()


async def _race(
    waiting: list[Callable[[], Coroutine[Any, Any, T]]], tasks: list[asyncio.Task[T]]
) -> asyncio.Task[T]:
    """The task that wins; `tasks` gets all of them. Raises as `first_success`."""
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
            return winner
        if not waiting and all(task.done() for task in tasks):
            tasks[0].result()  # raises


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
