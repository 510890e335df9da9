"""The duplicate filter and the ranges that are acknowledged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st


def received(core: Any, *numbers: int, max_ranges: int = 1024) -> Any:
    packets = core.ReceivedPackets(max_ranges)
    for at, number in enumerate(numbers):
        packets.add(number, float(at), True)
    return packets


def test_a_number_is_new_once(core: Any) -> None:
    packets = core.ReceivedPackets()
    assert not packets.is_duplicate(7)
    assert packets.add(7, 1.0, True)
    assert packets.is_duplicate(7)
    assert not packets.add(7, 2.0, True)


def test_nothing_is_received_at_first(core: Any) -> None:
    packets = core.ReceivedPackets()
    assert (packets.largest, len(packets), packets.ack_ranges(10)) == (-1, 0, [])


def test_the_time_kept_is_that_of_the_largest_number(core: Any) -> None:
    packets = received(core, 5, 9, 7)
    assert (packets.largest, packets.largest_at) == (9, 1.0)


def test_ranges_are_given_newest_first_and_limited(core: Any) -> None:
    packets = received(core, 0, 1, 2, 5, 8, 9)
    assert packets.ack_ranges(10) == [(8, 10), (5, 6), (0, 3)]
    assert packets.ack_ranges(2) == [(8, 10), (5, 6)]
    assert packets.ack_ranges(0) == []


def test_what_the_peer_knows_is_reported_no_more(core: Any) -> None:
    packets = received(core, 0, 1, 4, 5, 8)
    packets.on_ack_acknowledged(4)
    assert packets.ack_ranges(10) == [(8, 9), (4, 6)]  # whole, because it ends above
    packets.on_ack_acknowledged(5)
    assert packets.ack_ranges(10) == [(8, 9)]


def test_a_late_number_is_reported_although_later_ones_were(core: Any) -> None:
    packets = received(core, 0, 5, 9)
    packets.on_ack_acknowledged(9)
    assert packets.ack_ranges(10) == []
    assert packets.add(3, 4.0, True)
    assert (3, 4) in packets.ack_ranges(10)


def test_what_is_reported_no_more_is_still_a_duplicate(core: Any) -> None:
    packets = received(core, 0, 1, 2)
    packets.on_ack_acknowledged(2)
    assert not packets.add(1, 5.0, True)


def test_above_the_limit_the_oldest_range_is_forgotten_and_counts_as_received(core: Any) -> None:
    packets = received(core, 0, 2, 4, 6, max_ranges=3)
    assert len(packets) == 3
    assert packets.ack_ranges(10) == [(6, 7), (4, 5), (2, 3)]
    assert packets.is_duplicate(0)
    assert not packets.add(0, 9.0, True)
    assert packets.add(1, 9.0, True)  # above the floor


def test_the_limit_is_at_least_one(core: Any) -> None:
    with pytest.raises(ValueError):
        core.ReceivedPackets(0)


def test_a_hostile_spread_of_numbers_stops_at_the_limit(core: Any) -> None:
    packets = received(core, *range(0, 20_000, 2))
    assert len(packets) == 1024


def test_a_thousand_lost_packets_in_a_million_never_meet_the_limit(core: Any) -> None:
    packets = core.ReceivedPackets()
    for number in range(0, 20_000):
        if number % 1000:
            assert packets.add(number, 0.0, True)
    assert len(packets) == 20


@given(numbers=st.lists(st.integers(0, 60), max_size=80))
def test_it_behaves_like_a_set_of_numbers(core: Any, numbers: list[int]) -> None:
    packets, model = core.ReceivedPackets(), set[int]()
    for number in numbers:
        assert packets.is_duplicate(number) == (number in model)
        assert packets.add(number, 0.0, True) == (number not in model)
        model.add(number)
    assert {n for start, stop in packets.ack_ranges(100) for n in range(start, stop)} == model
