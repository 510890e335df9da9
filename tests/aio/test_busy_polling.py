"""A loop keeps awake where the next datagram comes at once, and sleeps where it does not."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable

import pytest

from aio.virtual_loop import virtual
from fastmux.aio import busy_polling as room
from fastmux.aio.busy_polling import BusyPolling, busy_polling
from fastmux.constants import BRISK_FACTOR, BUSY_POLL_TIME, FIRST_BUSY_POLL_PAUSE, MAX_BUSY_POLL_PAUSE

LIMIT = 0.0001
TURN = LIMIT / 10
BRISK = LIMIT / 2
SLOW = LIMIT * BRISK_FACTOR * 1.01


class Machine:
    """A loop that takes a turn in TURN seconds as long as a call waits in it, and sleeps otherwise."""

    def __init__(self) -> None:
        self.now = 50.0
        self.calls: list[Callable[[], None]] = []
        self.worked = 0
        self.work_time = TURN
        self.polling = BusyPolling(self.calls.append, LIMIT, self._work, lambda: self.now)

    def begin(self) -> None:
        """As many brisk arrivals as there must be before it is tried."""
        self.wait(5.0)
        for _ in range(FIRST_BUSY_POLL_PAUSE):
            assert not self.wait(BRISK)
            assert not self.calls

    def _work(self) -> None:
        self.worked += 1
        self.now += self.work_time

    def wait(self, gap: float) -> bool:
        """Let time pass, then a datagram comes; whether the loop was awake then."""
        end = self.now + gap
        while self.calls and self.now + TURN < end:
            self.now += TURN
            self.calls.pop()()
        self.now = end
        is_awake = bool(self.calls)
        assert len(self.calls) <= 1
        self.polling.on_readable()
        return is_awake


def test_datagrams_that_follow_closely_find_the_loop_awake() -> None:
    machine = Machine()
    machine.begin()
    assert [machine.wait(BRISK) for _ in range(4)] == [False, True, True, True]
    assert machine.worked == FIRST_BUSY_POLL_PAUSE + 5


def test_the_time_of_the_work_itself_is_no_gap() -> None:
    machine = Machine()
    machine.work_time = 10 * SLOW
    machine.begin()
    assert [machine.wait(BRISK) for _ in range(4)] == [False, True, True, True]


@pytest.mark.parametrize("gap", [SLOW, 10 * SLOW, 5.0])
def test_where_datagrams_come_seldom_the_loop_always_sleeps(gap: float) -> None:
    machine = Machine()
    for _ in range(100):
        assert not machine.wait(gap)
        assert not machine.calls


def test_it_keeps_awake_no_longer_than_the_limit() -> None:
    machine = Machine()
    machine.begin()
    machine.wait(BRISK)
    turns = 0
    while machine.calls:
        machine.now += TURN
        machine.calls.pop()()
        turns += 1
    assert 9 <= turns <= 11


def test_who_waited_in_vain_waits_less_and_less_often() -> None:
    """Brisk pairs with long breaks between them: the loop keeps awake for each, and nothing comes."""
    machine = Machine()
    machine.begin()
    tries = []
    for pair in range(3000):
        machine.wait(5.0)
        machine.wait(BRISK)
        if machine.calls:
            tries.append(pair)
    pauses = [later - earlier - 1 for earlier, later in zip(tries, tries[1:], strict=False)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, MAX_BUSY_POLL_PAUSE]


def test_one_success_is_enough_to_trust_again() -> None:
    machine = Machine()
    machine.begin()
    for _ in range(50):
        machine.wait(5.0)
        machine.wait(BRISK)
    while not machine.wait(BRISK):
        pass
    for _ in range(2):  # in vain, and one brisk arrival sat out
        machine.wait(5.0)
        machine.wait(BRISK)
    machine.wait(BRISK)
    assert machine.calls


async def _is_polling(limit: float = BUSY_POLL_TIME) -> bool:
    def work() -> None:
        raise AssertionError("nobody asked for work")

    return busy_polling(asyncio.get_running_loop(), limit, work) is not work


def test_it_is_for_plain_loops_of_processes_with_several_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "processors", lambda: 2)
    assert asyncio.run(_is_polling())
    assert not asyncio.run(_is_polling(), debug=True)
    assert not asyncio.run(_is_polling(0))
    monkeypatch.setattr(room, "processors", lambda: 1)
    assert not asyncio.run(_is_polling())


@virtual
async def test_it_is_not_for_loops_with_a_time_of_their_own() -> None:
    assert not await _is_polling()


def test_there_is_at_least_one_processor() -> None:
    assert room.processors() >= 1


class _Timeouts(selectors.SelectSelector):
    """Remembers for how long the loop was ready to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float | None] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.asked.append(timeout)
        return super().select(timeout)


@pytest.mark.parametrize(("arrivals", "sleeps"), [(1, True), (FIRST_BUSY_POLL_PAUSE + 2, False)])
def test_a_loop_that_is_kept_awake_does_not_sleep(
    monkeypatch: pytest.MonkeyPatch, arrivals: int, sleeps: bool
) -> None:
    monkeypatch.setattr(room, "processors", lambda: 2)
    selector = _Timeouts()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        arrive = busy_polling(loop, 60.0, lambda: None)  # however slow this machine is, they are brisk
        for _ in range(arrivals):
            arrive()
        over = loop.create_future()
        selector.asked.clear()
        loop.call_later(0.001, over.set_result, None)
        await over

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(main())
        assert any(selector.asked) == sleeps
