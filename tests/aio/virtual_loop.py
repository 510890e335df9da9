"""An event loop whose clock jumps to the next timer instead of waiting for it.

Owns: virtual time for asyncio. A test on it takes as long as its Python takes; a test in which nothing can
happen any more fails at once instead of hanging.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

LIMIT = 10_000.0  # virtual seconds that a test may take


class NothingWillHappenError(RuntimeError):
    """Every task waits, and nothing but timers comes: the program under test hangs."""


class _JumpingSelector(selectors.SelectSelector):
    """Reports what is ready now; where the loop would wait, the time passes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.limit = LIMIT
        self.turns = 0
        self.on_turn: Callable[[int], None] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        if self.on_turn is not None:
            self.on_turn(self.turns)
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise NothingWillHappenError("every task waits for another")
            self.now += max(timeout, 0.0)
            if self.now > self.limit:
                self.limit += LIMIT  # for the cleaning up
                raise NothingWillHappenError(f"only timers fired for {LIMIT} virtual seconds")
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop over a clock that starts at 0 and jumps."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """The virtual time, in seconds."""
        return self._jumping.now

    @property
    def turns(self) -> int:
        """How often the loop went round."""
        return self._jumping.turns

    def on_turn(self, callback: Callable[[int], None] | None) -> None:
        """Call this with the number of each turn, after its wake-ups were decided and before anybody runs."""
        self._jumping.on_turn = callback


P = ParamSpec("P")


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test on a `VirtualLoop`."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


async def settle(turns: int = 20) -> None:
    """Let everything happen that can happen now."""
    for _ in range(turns):
        await asyncio.sleep(0)
