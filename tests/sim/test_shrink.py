"""The shrinker, by failures that are made up: nothing runs, so that what it can do is known exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fastmux import constants as c
from sim.mutator import Change
from sim.schedule import Schedule
from sim.shrink import Shrinker
from sim.swarm import expand

LARGE = 30  # parts: seeds with fewer show little


def seeds_that(fails: Callable[[Schedule], bool], count: int) -> list[Schedule]:
    """The first schedules of some size that fail."""
    found = []
    for seed in range(4000):
        schedule = expand(seed)
        if schedule.size >= LARGE and fails(schedule):
            found.append(schedule)
            if len(found) == count:
                return found
    raise AssertionError("no such seeds")


def has_loss_and_two_pings(schedule: Schedule) -> bool:
    return schedule.faults.to_server.loss > 0 and len(schedule.plan.sides[c.ROLE_CLIENT].pings) >= 2


def has_a_long_message(schedule: Schedule) -> bool:
    return any(
        channel.kind == c.KIND_MESSAGE and any(size > 100 for size in channel.writing[0].sizes)
        for channel in schedule.plan.channels
    )


def has_a_flood(schedule: Schedule) -> bool:
    hostility = schedule.hostility
    return hostility is not None and any(strike.change is Change.FLOOD for strike in hostility.strikes)


def has_two_moves_and_an_attack(schedule: Schedule) -> bool:
    return len(schedule.moves) >= 2 and len(schedule.attacks) >= 1


@pytest.mark.parametrize(
    ("fails", "size"),
    [
        (has_loss_and_two_pings, 3),
        (has_a_long_message, 2),
        (has_a_flood, 1),
        (has_two_moves_and_an_attack, 3),
    ],
)
def test_only_what_the_failure_needs_is_left(fails: Callable[[Schedule], bool], size: int) -> None:
    for schedule in seeds_that(fails, 3):
        shrinker = Shrinker(schedule, fails)
        smallest = shrinker.shrink()
        assert fails(smallest)
        assert smallest.size == size
        assert shrinker.runs < 500


def test_sizes_are_halved_as_far_as_it_fails() -> None:
    (schedule,) = seeds_that(has_a_long_message, 1)
    smallest = Shrinker(schedule, has_a_long_message).shrink()
    (channel,) = smallest.plan.channels
    assert [100 < size <= 200 for size in channel.writing[0].sizes] == [True]
    assert channel.writing[1].sizes == ()
    assert smallest.plan.total_size == sum(channel.writing[0].sizes)


def test_settings_and_times_are_plain_where_they_do_not_matter() -> None:
    (schedule,) = seeds_that(has_loss_and_two_pings, 1)
    smallest = Shrinker(schedule, has_loss_and_two_pings).shrink()
    for side in smallest.plan.sides:
        assert side.configuration.channel_window == c.INITIAL_CHANNEL_WINDOW
        assert side.configuration.congestion == "cubic"
    assert float(f"{smallest.faults.to_server.loss:.0e}") == smallest.faults.to_server.loss
    assert smallest.faults.to_client.loss == 0


def test_it_stops_after_so_many_runs() -> None:
    asked: list[Schedule] = []

    def fails(schedule: Schedule) -> bool:
        asked.append(schedule)
        return has_a_long_message(schedule)

    (schedule,) = seeds_that(has_a_long_message, 1)
    shrinker = Shrinker(schedule, fails, max_runs=7)
    assert has_a_long_message(shrinker.shrink())
    assert len(asked) == shrinker.runs == 7
