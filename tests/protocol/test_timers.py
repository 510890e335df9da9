"""One timer for many items."""

from __future__ import annotations

from random import Random

from fastmux.constants import MAX_TIMER_ENTRIES
from fastmux.protocol.timers import Timers


class Item:
    def __init__(self, at: float | None = None) -> None:
        self.at = at
        self.asked = 0

    def deadline(self) -> float | None:
        self.asked += 1
        return self.at


def timers_of(*items: Item) -> Timers[Item]:
    timers: Timers[Item] = Timers()
    for item in items:
        timers.add(item)
    return timers


def test_without_items_nothing_is_due() -> None:
    assert Timers[Item]().deadline() is None
    assert Timers[Item]().take_due(100.0) == []


def test_the_earliest_deadline_counts() -> None:
    early, late, never = Item(1.0), Item(2.0), Item(None)
    timers = timers_of(late, early, never)
    assert timers.deadline() == 1.0
    assert timers.take_due(0.5) == []
    assert timers.take_due(1.0) == [early]


def test_a_deadline_that_moved_earlier_counts_once_it_is_said() -> None:
    item = Item(5.0)
    timers = timers_of(item)
    assert timers.deadline() == 5.0
    item.at = 3.0
    timers.changed(item)
    assert timers.deadline() == 3.0


def test_a_deadline_that_moved_later_is_not_due_at_its_old_time() -> None:
    item = Item(1.0)
    timers = timers_of(item)
    timers.deadline()
    item.at = 4.0
    timers.changed(item)
    assert timers.take_due(2.0) == []
    assert timers.deadline() == 4.0
    assert timers.take_due(4.0) == [item]


def test_a_deadline_that_moves_later_a_thousand_times_leaves_one_entry() -> None:
    item = Item(1.0)
    timers = timers_of(item)
    for _ in range(1000):
        timers.deadline()
        item.at = (item.at or 0) + 0.01
        timers.changed(item)
    assert len(timers._heap) == 1


def test_short_timers_before_a_long_one_do_not_heap_up() -> None:
    item = Item(30.0)
    timers = timers_of(item)
    for number in range(500):
        now = number * 0.05
        item.at = now + 0.025  # an acknowledgement falls due
        timers.changed(item)
        assert timers.take_due(now + 0.025) == [item]
        item.at = 30.0
        timers.changed(item)
        timers.deadline()
    assert len(timers._heap) <= 2


def test_a_discarded_item_is_never_due() -> None:
    item = Item(1.0)
    timers = timers_of(item)
    timers.deadline()
    timers.discard(item)
    timers.changed(item)
    assert timers.deadline() is None
    assert timers.take_due(2.0) == []


def test_an_item_is_due_once_a_call_and_again_until_its_deadline_moves() -> None:
    item = Item(1.0)
    timers = timers_of(item)
    assert timers.take_due(1.0) == [item]
    assert timers.take_due(1.0) == [item]
    item.at = None
    timers.changed(item)
    assert timers.take_due(1.0) == []


def test_any_sequence_of_moves_wakes_every_item_in_time() -> None:
    random = Random(7)
    items = [Item(None) for _ in range(20)]
    timers = timers_of(*items)
    now = 0.0
    for _ in range(3000):
        item = random.choice(items)
        item.at = None if random.random() < 0.2 else now + random.random() * 3
        timers.changed(item)
        if random.random() < 0.5:
            timers.deadline()
        if random.random() < 0.3:
            now += random.random() * 0.2
            due = timers.take_due(now)
            assert set(due) == {i for i in items if i.at is not None and i.at <= now}
            for one in due:
                one.at = None
                timers.changed(one)
        wanted = min((i.at for i in items if i.at is not None), default=None)
        deadline = timers.deadline()
        assert wanted is None or (deadline is not None and deadline <= wanted)


def test_items_that_come_and_go_leave_no_entries_behind_an_earlier_one() -> None:
    stays = Item(1.0)
    timers = timers_of(stays)
    for number in range(5000):
        gone = Item(30.0 + number)  # the idle timeout of a connection that ends at once
        timers.add(gone)
        assert timers.deadline() == 1.0
        timers.discard(gone)
    assert len(timers) <= 200
    assert timers.take_due(100_000.0) == [stays]


def test_items_that_go_in_crowds_take_nothing_of_the_others_with_them() -> None:
    items = [Item(float(number)) for number in range(1000)]
    timers = timers_of(*items)
    timers.deadline()
    for item in items[::2]:
        timers.discard(item)
    for item in items[1::4]:
        item.at = (item.at or 0.0) + 0.5
        timers.changed(item)
    assert timers.take_due(2000.0) == sorted(items[1::2], key=lambda item: item.at or 0.0)


def test_a_deadline_that_moves_earlier_again_and_again_leaves_few_entries() -> None:
    item = Item(1000.0)
    timers = timers_of(item)
    at = 1000.0
    for _ in range(499):
        at -= 1.0
        item.at = at
        timers.changed(item)
        assert timers.deadline() == item.at
        assert len(timers._stacks[item]) <= MAX_TIMER_ENTRIES
    assert len(timers) <= 3 * MAX_TIMER_ENTRIES
    assert timers.take_due(at) == [item]
