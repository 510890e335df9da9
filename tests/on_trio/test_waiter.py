"""What one trio task waits for."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from fastmux.trio.waiter import TrioWaiter
from on_trio.pair import on_trio


@on_trio
async def test_a_result_that_is_there_is_had_at_once_and_one_that_comes_wakes_the_task() -> None:
    early: TrioWaiter = TrioWaiter()
    early.set_result("early")
    assert early.done()
    assert await early == "early"
    late = TrioWaiter()
    got: list[object] = []

    async def wait() -> None:
        got.append(await late)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert not late.done()
        late.set_result("late")
    assert got == ["late"]
    with pytest.raises(RuntimeError, match="before"):
        late.set_result("again")


@on_trio
async def test_a_cancelled_task_leaves_and_a_later_wake_up_harms_nobody() -> None:
    waiter = TrioWaiter()
    with trio.move_on_after(1) as scope:
        await waiter
    assert scope.cancelled_caught
    waiter.set_result(None)
    assert waiter.done()
