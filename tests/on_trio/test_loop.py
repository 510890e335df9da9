"""trio's loop can do what the rooms of `aio` ask of a loop."""

from __future__ import annotations

import logging
import socket
import threading
from functools import partial

import pytest
import trio
import trio.testing

from fastmux.aio.loop import WatchingLoop
from fastmux.trio.loop import TrioLoop, running_loop
from on_trio.pair import on_trio


@on_trio
async def test_there_is_one_loop_in_a_run() -> None:
    loop: WatchingLoop = running_loop()
    assert loop is running_loop()
    assert not loop.is_closed()


def test_every_run_has_its_own_and_it_is_closed_with_the_run() -> None:
    loops: list[TrioLoop] = []

    async def main() -> None:
        loops.append(running_loop())
        await trio.testing.wait_all_tasks_blocked()

    trio.run(main)
    trio.run(main)
    assert loops[0] is not loops[1]
    assert loops[0].is_closed()
    with pytest.raises(RuntimeError):
        loops[0].call_soon_threadsafe(int)


@on_trio
async def test_calls_come_in_order_and_calls_of_calls_a_turn_later() -> None:
    loop = running_loop()
    calls: list[object] = []

    def again() -> None:
        calls.append("first")
        loop.call_soon(lambda: calls.append("third"))

    loop.call_soon(again)
    loop.call_soon(lambda: calls.append("second"))
    assert calls == []
    await trio.testing.wait_all_tasks_blocked()
    assert calls == ["first", "second", "third"]


@on_trio
async def test_a_call_that_always_calls_again_does_not_keep_others_from_running() -> None:
    loop = running_loop()
    is_over = False

    def again() -> None:
        if not is_over:
            loop.call_soon(again)

    fired: list[None] = []
    loop.call_soon(again)
    loop.call_later(0, lambda: fired.append(None))
    for _ in range(20):
        await trio.lowlevel.checkpoint()
    assert fired
    is_over = True


@on_trio
async def test_timers_fire_in_their_order_unless_they_are_cancelled() -> None:
    loop = running_loop()
    calls: list[int] = []
    timers = [loop.call_later(delay, partial(calls.append, delay)) for delay in (5, 2, 8, 3)]
    timers[3].cancel()
    timers[3].cancel()
    await trio.sleep(6)
    assert calls == [2, 5]
    loop.call_later(1, partial(calls.append, 1))
    await trio.sleep(1.5)
    assert calls == [2, 5, 1]
    timers[0].cancel()
    await trio.sleep(10)
    assert calls == [2, 5, 1, 8]


@on_trio
async def test_ten_thousand_cancelled_timers_are_swept() -> None:
    loop = running_loop()
    kept: list[None] = []
    loop.call_later(3600, lambda: kept.append(None))
    for _ in range(10_000):
        loop.call_later(1000, int).cancel()
    assert len(loop._timers) < 1000
    await trio.sleep(4000)
    assert kept


@on_trio
async def test_a_call_that_fails_is_logged_and_the_next_is_made(caplog: pytest.LogCaptureFixture) -> None:
    loop = running_loop()
    calls: list[None] = []

    def fail() -> None:
        raise KeyError("a bug")

    loop.call_soon(fail)
    loop.call_soon(lambda: calls.append(None))
    with caplog.at_level(logging.ERROR):
        await trio.testing.wait_all_tasks_blocked()
    assert calls
    assert "a bug" in caplog.text


def test_another_thread_can_ask_for_a_call() -> None:
    async def main() -> None:
        loop = running_loop()
        called = trio.Event()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(called.set,))
        thread.start()
        with trio.fail_after(5):
            await called.wait()
        thread.join()

    trio.run(main)


def test_a_watched_socket_calls_until_it_is_watched_no_more_and_may_then_be_closed() -> None:
    async def main() -> None:
        loop = running_loop()
        near, far = socket.socketpair()
        near.setblocking(False)
        got: list[bytes] = []
        has_room, has_data = trio.Event(), trio.Event()

        def on_readable() -> None:
            got.append(near.recv(10))
            has_data.set()

        def on_writable() -> None:
            loop.remove_writer(near.fileno())
            has_room.set()

        with trio.fail_after(5):
            loop.add_reader(near.fileno(), on_readable)
            loop.add_writer(near.fileno(), on_writable)
            await has_room.wait()
            for data in (b"one", b"two"):
                has_data = trio.Event()
                far.send(data)
                await has_data.wait()
            assert got == [b"one", b"two"]
            loop.remove_reader(near.fileno())
            loop.remove_reader(near.fileno())
            near.close()
            far.close()
            await trio.testing.wait_all_tasks_blocked()

    trio.run(main)


def test_what_is_to_be_done_at_the_end_of_the_run_is_done_once_unless_cancelled() -> None:
    ended: list[str] = []

    async def main() -> None:
        loop = running_loop()
        loop.at_end(lambda: ended.append("kept"))
        cancelled = loop.at_end(lambda: ended.append("cancelled"))
        cancelled.cancel()
        cancelled.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert ended == []

    trio.run(main)
    assert ended == ["kept"]
