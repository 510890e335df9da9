"""Trying several addresses under trio: in order, a little apart, the first that works wins (RFC 8305 §5).

Owns: when the next attempt begins and what becomes of the others. May not know: what an attempt does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import trio

from fastmux.aio.attempts import ATTEMPT_DELAY
from fastmux.exceptions import AuthenticationError

T = TypeVar("T")


class _Race(Generic[T]):
    """Attempts under way, and what they came to."""

    def __init__(
        self,
        attempts: Sequence[Callable[[], Awaitable[T]]],
        discard: Callable[[T], None],
        nursery: trio.Nursery,
    ) -> None:
        self._attempts = attempts
        self._discard = discard
        self._nursery = nursery
        self.results: list[T] = []
        self.errors: dict[int, OSError] = {}
        self.fatal: Exception | None = None

    async def run(self, number: int) -> None:
        """Try one; the next begins when it has failed, or a while after it has begun."""
        has_failed = trio.Event()
        if number + 1 < len(self._attempts):
            self._nursery.start_soon(self._follow, number + 1, has_failed)
        try:
            result = await self._attempts[number]()
        except Exception as error:
            if isinstance(error, OSError) and not isinstance(error, AuthenticationError):
                self.errors[number] = error
                has_failed.set()
            else:
                self.fatal = error
                self._nursery.cancel_scope.cancel()
            return
        if self.results:
            self._discard(result)
        else:
            self.results.append(result)
            self._nursery.cancel_scope.cancel()

    async def _follow(self, number: int, has_failed: trio.Event) -> None:
        with trio.move_on_after(ATTEMPT_DELAY):
            await has_failed.wait()
        await self.run(number)


async def first_success(
    attempts: Sequence[Callable[[], Awaitable[T]]], discard: Callable[[T], None]
) -> T:
    """The result of the first attempt that succeeds. Cancels the others; `discard` gets what they still gave.

    Raises the first attempt's error if all fail (OSError), and an `AuthenticationError`, or what is no
    OSError, at once. `attempts` has at least one.
    """
    async with trio.open_nursery() as nursery:
        race = _Race(attempts, discard, nursery)
        nursery.start_soon(race.run, 0)
    if race.results:
        return race.results[0]
    raise race.fatal or race.errors[0]
