"""Openers wait at the peer's limit, in order."""

from __future__ import annotations

import asyncio

import pytest

from aio.virtual_loop import settle, virtual
from fastmux.aio.openers import Openers
from fastmux.exceptions import ClosedResourceError, WouldBlock


class Limit:
    """Gives out numbers below a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.given = 0
        self.is_over = False

    def attempt(self) -> int:
        if self.is_over:
            raise ClosedResourceError("over")
        if self.given >= self.limit:
            raise WouldBlock
        self.given += 1
        return self.given


@virtual
async def test_below_the_limit_nobody_waits() -> None:
    limit, openers = Limit(2), Openers(asyncio.get_running_loop())
    assert [await openers.open(limit.attempt) for _ in range(2)] == [1, 2]


@virtual
async def test_at_the_limit_openers_wait_and_go_on_in_order() -> None:
    limit, openers = Limit(0), Openers(asyncio.get_running_loop())
    tasks = [asyncio.create_task(openers.open(limit.attempt)) for _ in range(4)]
    await settle()
    limit.limit = 2
    openers.wake()
    await settle()
    assert [task.done() for task in tasks] == [True, True, False, False]
    assert [tasks[0].result(), tasks[1].result()] == [1, 2]
    limit.limit = 4
    openers.wake()
    assert await asyncio.gather(*tasks) == [1, 2, 3, 4]


@virtual
async def test_a_cancelled_opener_opens_nothing_and_lets_the_next_one_go() -> None:
    limit, openers = Limit(0), Openers(asyncio.get_running_loop())
    tasks = [asyncio.create_task(openers.open(limit.attempt)) for _ in range(2)]
    await settle()
    limit.limit = 1
    openers.wake()
    tasks[0].cancel()
    await settle()
    assert tasks[0].cancelled()
    assert tasks[1].result() == 1
    assert limit.given == 1


@virtual
async def test_at_the_end_every_opener_learns_why() -> None:
    limit, openers = Limit(0), Openers(asyncio.get_running_loop())
    tasks = [asyncio.create_task(openers.open(limit.attempt)) for _ in range(3)]
    await settle()
    limit.is_over = True
    openers.wake_all()
    for task in tasks:
        with pytest.raises(ClosedResourceError):
            await task
