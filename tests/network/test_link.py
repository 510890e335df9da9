"""What one direction does to datagrams."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from network import Conditions, Link

DATA = bytes(range(100))


def carried(conditions: Conditions, count: int = 2000, interval: float = 0.001) -> list[tuple[float, bytes]]:
    """Send `count` datagrams, numbered in their first two bytes; give what arrives, in order of arrival."""
    link = Link(conditions, Random(1))
    arrivals = []
    for n in range(count):
        arrivals += link.carry(n.to_bytes(2, "big") + DATA, n * interval)
    return sorted(arrivals)


def numbers(arrivals: list[tuple[float, bytes]]) -> list[int]:
    return [int.from_bytes(data[:2], "big") for _, data in arrivals]


def test_a_clean_link_only_delays() -> None:
    assert Link(Conditions(delay=0.25), Random(1)).carry(DATA, 1.0) == [(1.25, DATA)]


@pytest.mark.parametrize("loss", [0.01, 0.3])
def test_about_so_many_are_lost(loss: float) -> None:
    assert len(carried(Conditions(loss=loss))) == pytest.approx(2000 * (1 - loss), rel=0.05)


def test_about_so_many_come_twice() -> None:
    assert len(carried(Conditions(duplication=0.2))) == pytest.approx(2400, rel=0.05)


def test_about_so_many_are_damaged_and_none_otherwise() -> None:
    arrivals = carried(Conditions(damage=0.1))
    damaged = [data for _, data in arrivals if data[2:] != DATA]
    assert len(damaged) == pytest.approx(200, rel=0.3)
    assert all(data for data in damaged)
    assert {len(data) < 102 for data in damaged} == {True, False}


def test_jitter_alone_overtakes_nothing() -> None:
    arrivals = carried(Conditions(jitter=0.05))
    assert numbers(arrivals) == list(range(2000))
    assert len({round(at - n * 0.001, 3) for (at, _), n in zip(arrivals, range(2000), strict=True)}) > 10


def test_reordering_lets_others_overtake() -> None:
    order = numbers(carried(Conditions(reordering=0.1)))
    assert order != list(range(2000))
    assert sorted(order) == list(range(2000))


def test_a_mask_loses_the_nth_datagram() -> None:
    assert numbers(carried(Conditions(loss_mask=0b1011), count=6)) == [2, 4, 5]


def test_coalesced_datagrams_arrive_together() -> None:
    arrivals = carried(Conditions(delay=0.0001, coalescing=0.01), count=40)
    assert numbers(arrivals) == list(range(40))
    assert sorted({round(at, 9) for at, _ in arrivals}) == [0.01, 0.02, 0.03, 0.04]


def test_a_rate_spaces_datagrams_and_a_full_queue_drops() -> None:
    slow = Conditions(delay=0.0, rate=1020.0, queue_size=510)
    arrivals = carried(slow, count=100, interval=0.0)
    assert numbers(arrivals) == list(range(6))
    assert [at for at, _ in arrivals] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


def test_nothing_passes_in_the_dark_and_nothing_larger_than_the_mtu() -> None:
    dark = Conditions(dark=((0.5, 1.0),))
    assert numbers(carried(dark)) == [n for n in range(2000) if not 500 <= n < 1000]
    shrinking = Conditions(mtu=((0.0, 102), (1.0, 101)))
    assert numbers(carried(shrinking)) == list(range(1000))


def test_bursts_lose_runs_of_datagrams_and_end() -> None:
    bursts = Conditions(burst_start=0.01, burst_stop=0.1)
    order = numbers(carried(bursts))
    lost = 2000 - len(order)
    runs = sum(later - earlier > 1 for earlier, later in pairwise(order))
    assert 50 < lost < 500
    assert lost / runs == pytest.approx(10, rel=0.5)


def test_a_burst_takes_only_its_share_and_is_over_after_a_while() -> None:
    half = Conditions(burst_start=1.0, burst_stop=0.0, burst_loss=0.5)
    assert len(carried(half)) == pytest.approx(1000, rel=0.1)
    seldom = Conditions(burst_start=0.5, burst_stop=0.0)
    assert 50 < len(carried(seldom, count=200, interval=10.0)) < 150


def test_replays_come_much_later_and_once() -> None:
    arrivals = carried(Conditions(replay=0.1, replay_delay=60.0))
    found = Counter(numbers(arrivals))
    assert set(found.values()) == {1, 2}
    assert sum(count == 2 for count in found.values()) == pytest.approx(200, rel=0.3)
    assert 30.0 < max(at for at, _ in arrivals) < 62.1


def test_nothing_is_lost_in_a_clog_but_all_of_it_waits() -> None:
    arrivals = carried(Conditions(clogged=((0.5, 1.0),)))
    assert numbers(arrivals) == list(range(2000))
    assert [at for at, _ in arrivals[500:1000]] == [1.01] * 500


def test_bursts_and_replays_leave_the_other_dice_alone() -> None:
    plain = Conditions(loss=0.1, reordering=0.2)
    kept = dict(zip(numbers(carried(plain)), carried(plain), strict=True))
    more = carried(replace(plain, burst_start=0.05, burst_stop=0.2))
    assert len(more) < len(kept)
    assert set(more) < set(kept.values())


def test_a_fault_less_changes_nothing_for_the_datagrams_that_follow() -> None:
    both = Conditions(loss=0.1, reordering=0.5)
    alone = Conditions(reordering=0.5)
    kept = dict(zip(numbers(carried(alone)), carried(alone), strict=True))
    assert [kept[n] for n in numbers(carried(both))] == carried(both)


def test_a_link_counts_what_it_carries() -> None:
    link = Link(Conditions(loss_mask=1), Random(1))
    link.carry(bytes(100), 0.0)
    link.carry(bytes(300), 0.0)
    assert (link.sent, link.lost, link.sent_size, link.largest) == (2, 1, 400, 300)
