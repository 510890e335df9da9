"""Where tasks go on directly, and where the loop has the say."""

from __future__ import annotations

import asyncio

from aio.link import Link
from aio.pair import pair
from aio.virtual_loop import VirtualLoop, settle, virtual
from fastmux import core
from fastmux.aio.wakeups import LateWakeups, wakeups_of


@virtual
async def test_tasks_of_asyncio_go_on_directly() -> None:
    wakeups = wakeups_of(asyncio.get_running_loop())
    assert isinstance(wakeups, core.Wakeups)
    assert wakeups.create_future().get_loop() is asyncio.get_running_loop()


@virtual
async def test_in_debug_mode_the_loop_sees_each_task() -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    wakeups = wakeups_of(loop)
    assert isinstance(wakeups, LateWakeups)
    wakeups.begin()
    assert not wakeups.is_open
    calls: list[None] = []
    wakeups.call_soon(lambda: calls.append(None))
    assert wakeups.end() is False
    wakeups.resume()
    assert calls == []
    await settle()
    assert calls == [None]


async def turns_of_an_echo(*, is_debugged: bool) -> int:
    """How often the loop goes round for one message there and back over an open stream."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.set_debug(is_debugged)
    async with pair(link=Link(delay=0.001)) as ends:
        mine, theirs = await ends.stream()

        async def echo() -> None:
            for _ in range(12):
                await theirs.send(await theirs.receive())

        echoing = asyncio.create_task(echo())
        for _ in range(2):
            await mine.send(b"warm")
            await mine.receive()
        before = loop.turns
        for _ in range(10):
            await mine.send(b"hello")
            await mine.receive()
        turns = loop.turns - before
        await echoing
        return turns


@virtual
async def test_an_answer_leaves_in_the_turn_in_which_the_request_came() -> None:
    direct = await turns_of_an_echo(is_debugged=False)
    late = await turns_of_an_echo(is_debugged=True)
    assert direct <= late - 2 * 10 + 2, (direct, late)
