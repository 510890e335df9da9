"""Both cores resume woken tasks the same way, and wait as a future of asyncio's does."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from aio.virtual_loop import settle, virtual

stage: ContextVar[str] = ContextVar("stage", default="driver")


class Scene:
    """Tasks of the running loop that wait on wake-ups of one core, and what they have done."""

    def __init__(self, core: Any) -> None:
        self.wakeups = core.Wakeups(asyncio.get_running_loop(), asyncio.CancelledError)
        self.done: list[object] = []
        self.waiters: list[Any] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self, count: int, behind: Callable[[int], None] | None = None) -> None:
        """Let `count` tasks wait; `behind` runs in each after its wake-up."""
        for number in range(count):
            self.waiters.append(self.wakeups.create_future())
            self.tasks.append(asyncio.create_task(self._wait(number, behind)))
        await settle()

    async def _wait(self, number: int, behind: Callable[[int], None] | None) -> None:
        self.done.append((number, await self.waiters[number]))
        if behind is not None:
            behind(number)


def in_a_call(act: Callable[[], None]) -> None:
    """Run it as the loop does, outside of any task."""
    asyncio.get_running_loop().call_soon(act)


@virtual
async def test_who_is_woken_between_begin_and_end_goes_on_in_resume_in_order(core: Any) -> None:
    scene = Scene(core)
    await scene.start(3)
    seen: list[object] = []

    def turn() -> None:
        scene.wakeups.begin()
        assert scene.wakeups.is_open
        for number in (2, 0):
            scene.waiters[number].set_result(str(number))
        seen.append(list(scene.done))
        assert scene.wakeups.end() is True
        assert not scene.wakeups.is_open
        scene.wakeups.resume()
        seen.append(list(scene.done))

    in_a_call(turn)
    await settle()
    assert seen == [[], [(2, "2"), (0, "0")]]
    assert [task.done() for task in scene.tasks] == [True, False, True]
    scene.waiters[1].set_result(None)
    await asyncio.gather(*scene.tasks)


@virtual
async def test_who_is_woken_at_another_time_goes_on_in_the_loops_next_turn(core: Any) -> None:
    scene = Scene(core)
    await scene.start(1)
    scene.waiters[0].set_result(None)
    assert scene.wakeups.end() is False
    scene.wakeups.resume()
    assert scene.done == []
    await settle()
    assert scene.done == [(0, None)]


@virtual
async def test_a_task_that_is_woken_by_one_that_was_resumed_waits_for_the_loop(core: Any) -> None:
    scene = Scene(core)
    await scene.start(2, lambda number: None if number else scene.waiters[1].set_result("late"))
    seen: list[object] = []

    def turn() -> None:
        scene.wakeups.begin()
        scene.waiters[0].set_result("soon")
        scene.wakeups.end()
        scene.wakeups.resume()
        seen.append(list(scene.done))

    in_a_call(turn)
    await settle()
    assert seen == [[(0, "soon")]]
    assert scene.done == [(0, "soon"), (1, "late")]


@virtual
async def test_a_result_that_was_there_before_needs_no_waiting(core: Any) -> None:
    waiter = core.Wakeups(asyncio.get_running_loop(), asyncio.CancelledError).create_future()
    assert not waiter.done()
    waiter.set_result(7)
    assert waiter.done()
    assert await waiter == 7
    assert waiter.result() == 7


@virtual
async def test_a_cancelled_task_gets_its_message_and_wakes_nobody(core: Any) -> None:
    scene = Scene(core)
    await scene.start(2)
    for task, message in zip(scene.tasks, ("enough", None), strict=True):
        task.cancel(message)
        with pytest.raises(asyncio.CancelledError, match=message):
            await task
    for waiter in scene.waiters:
        assert waiter.done() and waiter.cancelled()
        assert waiter.cancel() is False
        with pytest.raises(RuntimeError, match="woken or cancelled before"):
            waiter.set_result(None)
        with pytest.raises(asyncio.CancelledError):
            waiter.result()
    assert scene.done == []


@virtual
async def test_a_task_that_is_cancelled_between_its_wake_up_and_its_turn_is_cancelled(core: Any) -> None:
    scene = Scene(core)

    def cancel_the_next(number: int) -> None:
        if number == 0:
            scene.tasks[1].cancel()

    await scene.start(2, cancel_the_next)

    def turn() -> None:
        scene.wakeups.begin()
        scene.waiters[0].set_result("first")
        scene.waiters[1].set_result("second")
        scene.wakeups.end()
        scene.wakeups.resume()

    in_a_call(turn)
    await settle()
    assert scene.done == [(0, "first")]
    assert scene.tasks[1].cancelled()


@virtual
async def test_a_timeout_works_around_a_waiter(core: Any) -> None:
    waiter = core.Wakeups(asyncio.get_running_loop(), asyncio.CancelledError).create_future()

    async def wait() -> None:
        await waiter

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait(), 1)
    assert waiter.cancelled()


@virtual
async def test_each_goes_on_in_its_own_context(core: Any) -> None:
    scene = Scene(core)
    seen: list[str] = []
    stage.set("task")
    await scene.start(1, lambda _: seen.append(stage.get()))
    stage.set("other")

    def leak() -> None:
        seen.append(stage.get())
        stage.set("leaked")

    def turn() -> None:
        stage.set("call")
        scene.wakeups.begin()
        scene.waiters[0].set_result(None)
        scene.wakeups.call_soon(leak)
        scene.wakeups.end()
        scene.wakeups.resume()
        seen.append(stage.get())

    in_a_call(turn)
    await settle()
    assert seen == ["task", "call", "call"]


@virtual
async def test_a_call_comes_behind_the_tasks_or_in_the_next_turn(core: Any) -> None:
    scene = Scene(core)
    await scene.start(1)

    def turn() -> None:
        scene.wakeups.begin()
        scene.waiters[0].set_result(None)
        scene.wakeups.call_soon(lambda: scene.done.append("kept"))
        scene.wakeups.end()
        scene.wakeups.resume()
        scene.wakeups.call_soon(lambda: scene.done.append("later"))
        scene.done.append("turn")

    in_a_call(turn)
    await settle()
    assert scene.done == [(0, None), "kept", "turn", "later"]


@virtual
async def test_what_a_call_raises_is_raised_and_those_behind_it_go_on_later(core: Any) -> None:
    scene = Scene(core)
    await scene.start(2)
    caught: list[BaseException] = []

    def fail() -> None:
        raise KeyboardInterrupt

    def turn() -> None:
        scene.wakeups.begin()
        scene.waiters[0].set_result(None)
        scene.wakeups.call_soon(fail)
        scene.waiters[1].set_result(None)
        scene.wakeups.call_soon(lambda: scene.done.append("last"))
        scene.wakeups.end()
        try:
            scene.wakeups.resume()
        except KeyboardInterrupt as error:
            caught.append(error)
        scene.done.append("turn")

    in_a_call(turn)
    await settle()
    assert len(caught) == 1
    assert scene.done == [(0, None), "turn", (1, None), "last"]


@virtual
async def test_only_one_task_can_await(core: Any) -> None:
    scene = Scene(core)
    await scene.start(1)

    async def second() -> None:
        await scene.waiters[0]

    with pytest.raises(RuntimeError, match="only one task can await this"):
        await second()
    with pytest.raises(RuntimeError, match="nobody else can ask to be called"):
        scene.waiters[0].add_done_callback(print)
    with pytest.raises(RuntimeError, match="not woken yet"):
        scene.waiters[0].result()
    scene.waiters[0].set_result(None)
    await scene.tasks[0]


@virtual
async def test_nothing_is_resumed_while_wake_ups_are_being_kept(core: Any) -> None:
    wakeups = core.Wakeups(asyncio.get_running_loop(), asyncio.CancelledError)
    wakeups.begin()
    with pytest.raises(RuntimeError, match="being kept"):
        wakeups.resume()
    wakeups.end()


@virtual
async def test_they_belong_to_their_loop_and_cannot_be_copied(core: Any) -> None:
    loop = asyncio.get_running_loop()
    wakeups = core.Wakeups(loop, asyncio.CancelledError)
    waiter = wakeups.create_future()
    assert waiter.get_loop() is loop
    for each in (wakeups, waiter):
        with pytest.raises(TypeError, match="cannot pickle or copy"):
            copy.copy(each)
    with pytest.raises(TypeError):
        core.TaskWaiter()


@virtual
async def test_a_waiter_can_be_made_of_its_wake_ups(core: Any) -> None:
    waiter = core.TaskWaiter(core.Wakeups(asyncio.get_running_loop(), asyncio.CancelledError))
    waiter.set_result("made")
    assert await waiter == "made"
