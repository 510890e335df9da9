"""Which datagrams are hit, and what becomes of them."""

from __future__ import annotations

from itertools import groupby
from random import Random
from typing import Any

import pytest

from network import Conditions, Link
from network.bursts import Capped, GilbertElliott, Listed, Mask, Pattern, Range, When, flaps
from network.rough import RoughLink

DATA = bytes(100)
COUNT = 20_000


def hit(pattern: Pattern, count: int = COUNT) -> list[bool]:
    return [pattern.hits(index, index * 0.001) for index in range(count)]


def runs(hits: list[bool]) -> list[int]:
    return [len(list(row)) for is_hit, row in groupby(hits) if is_hit]


def rough(count: int = 640, **more: Any) -> tuple[RoughLink, list[tuple[float, int]]]:
    """Send numbered datagrams, 1 ms apart; the link, and what arrived in its order."""
    link = RoughLink(Conditions(delay=0.0), Random(1), **more)
    arrivals = []
    for n in range(count):
        arrivals += link.carry(n.to_bytes(2, "big") + DATA, n * 0.001)
    return link, sorted((at, int.from_bytes(data[:2], "big")) for at, data in arrivals)


def test_bursts_are_capped_and_the_share_is_nearly_the_one_asked_for() -> None:
    hits = hit(Capped(0.3, 3, Random(1)))
    assert max(runs(hits)) == 3
    assert sum(hits) / COUNT == pytest.approx(0.295, abs=0.01)


def test_gilbert_and_elliott_hit_a_share_in_bursts() -> None:
    hits = hit(GilbertElliott(0.05, 10.0, Random(1)), 200_000)
    assert sum(hits) / len(hits) == pytest.approx(0.05, rel=0.1)
    rows = runs(hits)
    assert sum(rows) / len(rows) == pytest.approx(10.0, rel=0.1)


def test_bursts_of_a_time_end_in_silence_too() -> None:
    """Datagrams that are far apart are hit by chance, each for itself; close ones together."""
    pattern = GilbertElliott(0.2, 10.0, Random(2), slot=0.001)
    far = [pattern.hits(n, n * 1.0) for n in range(COUNT)]
    close = [pattern.hits(n, 1e6 + n * 0.001) for n in range(200_000)]
    for hits, mean in ((far, 1.25), (close, 10.0)):
        rows = runs(hits)
        assert sum(hits) / len(hits) == pytest.approx(0.2, rel=0.1)
        assert sum(rows) / len(rows) == pytest.approx(mean, rel=0.1)


def test_a_mask_goes_on_from_its_start_until_its_time() -> None:
    hits = hit(Mask(0b101, 0.130), 200)
    assert [index for index, is_hit in enumerate(hits) if is_hit] == [0, 2, 64, 66, 128]


def test_lists_ranges_and_functions_hit_what_they_say() -> None:
    some = Range()
    some.start, some.stop = 2, 4
    for pattern in (Listed(frozenset((2, 3))), some, When(lambda index, now: index in (2, 3))):
        assert hit(pattern, 6) == [False, False, True, True, False, False]
    some.until = 0.003
    assert hit(some, 6) == [False, False, True, False, False, False]


def test_a_path_that_flaps_is_lit_first() -> None:
    assert flaps(10.0, 1.0, 2.0, 6.5) == ((11.0, 13.0), (14.0, 16.0))
    assert not Conditions(dark=flaps(0.0, 1.0, 1.0, 10.0)).is_dark(0.5)


def test_what_a_pattern_loses_is_lost_and_counted() -> None:
    link, arrivals = rough(losses=Listed(frozenset((1, 639))))
    assert [n for _, n in arrivals] == [0, *range(2, 639)]
    assert link.lost == 2
    assert link.passed_size == 638 * 102


def test_what_is_flipped_arrives_with_one_byte_changed() -> None:
    link = RoughLink(Conditions(), Random(1), flips=Listed(frozenset(range(50))))
    for _ in range(50):
        ((_, data),) = link.carry(DATA, 0.0)
        assert len(data) == len(DATA)
        assert sum(map(bool, data)) == 1
    assert link.carry(DATA, 0.0)[0][1] == DATA
    assert link.flipped == 50


def test_replays_come_once_more_and_late() -> None:
    link, arrivals = rough(replays=0.5, replay_delay=10.0)
    assert link.replayed == pytest.approx(320, rel=0.2)
    assert len(arrivals) == 640 + link.replayed
    assert arrivals[-1][0] > 5.0


def test_blocks_come_in_another_order_and_whole() -> None:
    _, arrivals = rough(block=64, gap=0.001)
    numbers = [n for _, n in arrivals]
    assert numbers != list(range(640))
    for block in range(10):
        assert sorted(numbers[block * 64 : block * 64 + 64]) == list(range(block * 64, block * 64 + 64))


def test_without_patterns_a_rough_link_is_a_link() -> None:
    conditions = Conditions(loss=0.1, reordering=0.2, duplication=0.1, damage=0.1)
    one, other = Link(conditions, Random(3)), RoughLink(conditions, Random(3))
    assert [one.carry(DATA, n) for n in range(500)] == [other.carry(DATA, n) for n in range(500)]
