"""Waiting tasks keep their order and survive cancellation."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from aio.virtual_loop import settle, virtual
from fastmux.aio.waiters import WaiterQueue, WaiterSlot
from fastmux.exceptions import BusyResourceError


async def stand(queue: WaiterQueue, name: str, served: list[str]) -> None:
    place = queue.join()
    try:
        await place
        served.append(name)
    finally:
        queue.leave(place)
        queue.wake_first()


@virtual
async def test_waiters_are_served_in_the_order_in_which_they_came() -> None:
    queue = WaiterQueue(asyncio.get_running_loop())
    served: list[str] = []
    tasks = [asyncio.create_task(stand(queue, name, served)) for name in "abc"]
    await settle()
    assert served == []
    assert len(queue) == 3
    queue.wake_first()
    await asyncio.gather(*tasks)
    assert served == ["a", "b", "c"]
    assert not queue


@virtual
async def test_waking_the_first_twice_wakes_nobody_else() -> None:
    queue = WaiterQueue(asyncio.get_running_loop())
    first, second = queue.join(), queue.join()
    queue.wake_first()
    queue.wake_first()
    assert first.done()
    assert not second.done()


@virtual
async def test_a_woken_waiter_that_is_cancelled_passes_its_turn_on() -> None:
    queue = WaiterQueue(asyncio.get_running_loop())
    served: list[str] = []
    tasks = [asyncio.create_task(stand(queue, name, served)) for name in "ab"]
    await settle()
    queue.wake_first()
    tasks[0].cancel()
    await asyncio.wait(tasks)
    assert served == ["b"]


@virtual
async def test_a_waiter_in_the_middle_leaves_without_disturbing_the_order() -> None:
    queue = WaiterQueue(asyncio.get_running_loop())
    served: list[str] = []
    tasks = [asyncio.create_task(stand(queue, name, served)) for name in "abc"]
    await settle()
    tasks[1].cancel()
    await settle()
    queue.wake_first()
    await asyncio.wait(tasks)
    assert served == ["a", "c"]


@virtual
async def test_who_waits_again_keeps_the_place() -> None:
    queue = WaiterQueue(asyncio.get_running_loop())
    first, second = queue.join(), queue.join()
    queue.wake_first()
    fresh = queue.again(first)
    queue.wake_first()
    assert fresh.done()
    assert not second.done()


@virtual
async def test_who_waits_again_in_the_middle_keeps_the_place_there() -> None:
    queue = WaiterQueue(asyncio.get_running_loop())
    first, second, third = queue.join(), queue.join(), queue.join()
    queue.wake_all()
    fresh = queue.again(second)
    queue.leave(first)
    queue.wake_first()
    assert fresh.done()
    queue.leave(fresh)
    assert len(queue) == 1
    assert third.done()


@virtual
async def test_a_crowd_that_leaves_backwards_looks_at_nobody_else() -> None:
    looked_at = 0

    class Watched(asyncio.Future[None]):
        """Counts how often it is compared, which is what a search costs."""

        def __eq__(self, other: object) -> bool:
            nonlocal looked_at
            looked_at += 1
            return self is other

        def __hash__(self) -> int:
            return id(self)

    class Loop:
        def create_future(self) -> asyncio.Future[None]:
            return Watched(loop=asyncio.get_running_loop())

    queue = WaiterQueue(cast(asyncio.AbstractEventLoop, Loop()))
    places = [queue.join() for _ in range(1000)]
    for place in reversed(places):
        queue.leave(place)
    assert not queue
    assert looked_at < 1000


@virtual
async def test_everybody_can_be_woken_at_once() -> None:
    queue = WaiterQueue(asyncio.get_running_loop())
    places = [queue.join() for _ in range(3)]
    cancelled = places[1]
    assert isinstance(cancelled, asyncio.Future)
    cancelled.cancel()
    queue.wake_all()
    assert all(place.done() for place in places)


@virtual
async def test_a_slot_has_room_for_one_waiter() -> None:
    slot = WaiterSlot(asyncio.get_running_loop(), "reading here")
    task = asyncio.create_task(slot.wait())
    await settle()
    with pytest.raises(BusyResourceError, match="already reading here"):
        slot.check()
    with pytest.raises(BusyResourceError):
        await slot.wait()
    slot.wake()
    slot.wake()
    await task
    slot.check()


@virtual
async def test_a_cancelled_waiter_frees_the_slot() -> None:
    slot = WaiterSlot(asyncio.get_running_loop(), "reading here")
    task = asyncio.create_task(slot.wait())
    await settle()
    slot.wake()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not slot.is_taken


@virtual
async def test_a_claimed_slot_is_for_its_holder_alone() -> None:
    slot = WaiterSlot(asyncio.get_running_loop(), "accepting")
    slot.claim()
    with pytest.raises(BusyResourceError):
        slot.claim()
    task = asyncio.create_task(slot.wait())
    await settle()
    slot.wake()
    await task
    slot.unclaim()
    assert not slot.is_taken
