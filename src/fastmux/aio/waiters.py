"""Tasks that wait for room, for data or for an end, cancellable at any time.

Owns: the order of the waiting and the wake-ups. May not know: what is waited for. A wake-up carries no
value and no error: who is woken looks at the state himself, so a wake-up that meets a cancelled task costs
nothing and loses nothing.
"""

from __future__ import annotations

from collections import OrderedDict

from fastmux.aio.loop import Waiter, Waiters
from fastmux.exceptions import BusyResourceError


class _Line:
    """Those who wait: futures by ticket, in the order of the tickets, and the ticket of each future."""

    __slots__ = ("futures", "last_ticket", "tickets")

    def __init__(self) -> None:
        self.futures: OrderedDict[int, Waiter[None]] = OrderedDict()
        self.tickets: dict[Waiter[None], int] = {}
        self.last_ticket = 0


class WaiterQueue:
    """First come, first served; coming, going from anywhere and waking the first cost the same in any crowd.

    Invariant: the futures of `_line` stand in the order in which their tasks came; only the first may be
    woken by `wake_first`, and it keeps its place until its task has acted and left, so nobody overtakes it.
    While nobody waits there is no line either: an empty one costs 400 bytes, and channels are many.
    """

    __slots__ = ("_line", "_maker")

    def __init__(self, maker: Waiters) -> None:
        self._maker = maker
        self._line: _Line | None = None

    def __len__(self) -> int:
        return 0 if self._line is None else len(self._line.futures)

    def join(self) -> Waiter[None]:
        """Stand at the end; await what is returned, and `leave` with it however that ends."""
        if self._line is None:
            self._line = _Line()
        self._line.last_ticket += 1
        return self._stand(self._line, self._line.last_ticket)

    def leave(self, future: Waiter[None]) -> None:
        """Give up the place. The caller decides whether the next one may be woken."""
        line = self._line
        assert line is not None
        del line.futures[line.tickets.pop(future)]
        if not line.futures:
            self._line = None

    def again(self, future: Waiter[None]) -> Waiter[None]:
        """Wait once more in the same place."""
        assert self._line is not None
        return self._stand(self._line, self._line.tickets.pop(future))

    async def wait(self) -> None:
        """Stand at the end until woken once."""
        place = self.join()
        try:
            await place
        finally:
            self.leave(place)

    def wake_first(self) -> None:
        """Wake the first in line; does nothing if it is awake already."""
        if self._line is not None:
            first = next(iter(self._line.futures.values()))
            if not first.done():
                first.set_result(None)

    def wake_all(self) -> None:
        """Wake everybody, because the state they wait for will never come or came for all."""
        if self._line is not None:
            for future in self._line.futures.values():
                if not future.done():
                    future.set_result(None)

    def _stand(self, line: _Line, ticket: int) -> Waiter[None]:
        future: Waiter[None] = self._maker.create_future()
        line.futures[ticket] = future
        line.tickets[future] = ticket
        return future


class WaiterSlot:
    """Room for one waiting task.

    Invariant: `_future` is the future of the task that waits, None while nobody does; `_is_claimed` is True
    while somebody holds the slot beyond a single wait.
    """

    __slots__ = ("_future", "_is_claimed", "_maker", "_what")

    def __init__(self, maker: Waiters, what: str) -> None:
        """`what` goes on with "another task is already …"."""
        self._maker = maker
        self._what = what
        self._future: Waiter[None] | None = None
        self._is_claimed = False

    @property
    def is_taken(self) -> bool:
        """True while somebody waits here or has claimed the slot."""
        return self._future is not None or self._is_claimed

    def check(self) -> None:
        """Raise `BusyResourceError` if somebody is here."""
        if self._future is not None or self._is_claimed:
            raise BusyResourceError(f"another task is already {self._what}")

    def claim(self) -> None:
        """Hold the slot until `unclaim`. Raises `BusyResourceError` if somebody is here."""
        self.check()
        self._is_claimed = True

    def unclaim(self) -> None:
        """Give the slot back."""
        self._is_claimed = False

    def join(self) -> Waiter[None]:
        """Take the place: await what is returned, and `leave` however that ends.

        Raises `BusyResourceError` if somebody waits already.
        """
        if self._future is not None:
            raise BusyResourceError(f"another task is already {self._what}")
        self._future = self._maker.create_future()
        return self._future

    def leave(self) -> None:
        """Give the place up."""
        self._future = None

    async def wait(self) -> None:
        """Wait for the next `wake`. Raises as `join`."""
        place = self.join()
        try:
            await place
        finally:
            self.leave()

    def wake(self) -> None:
        """Wake the waiting task, if there is one."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)
