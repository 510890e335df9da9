"""Wake-ups that become calls."""

from __future__ import annotations

import asyncio

import pytest

from aio.virtual_loop import virtual
from fastmux.aio.callback_waiters import CallbackQueue, CallbackSlot
from fastmux.exceptions import BusyResourceError


@virtual
async def test_a_slot_that_calls_back_is_taken() -> None:
    calls: list[None] = []
    slot = CallbackSlot(asyncio.get_running_loop(), "receiving", lambda: calls.append(None))
    slot.wake()
    slot.wake()
    assert len(calls) == 2
    with pytest.raises(BusyResourceError, match="already receiving"):
        slot.check()


@virtual
async def test_a_queue_that_calls_back_still_wakes_tasks() -> None:
    calls: list[None] = []
    queue = CallbackQueue(asyncio.get_running_loop(), lambda: calls.append(None))
    queue.wake_first()
    first, second = queue.join(), queue.join()
    queue.wake_first()
    assert (first.done(), second.done()) == (True, False)
    queue.wake_all()
    assert second.done()
    assert len(calls) == 3
