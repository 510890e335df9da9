"""Of trains only what is known is told: which last numbers arrived, which trains lost packets."""

from __future__ import annotations

import pytest

from fastmux.protocol.observer import Train
from fastmux.qlog.sent_trains import Losses, Outcome, SentTrains


def trains(*lasts: int, first: int = 0) -> SentTrains:
    """Trains without gaps between them, of 1,000 bytes a packet."""
    sent = SentTrains()
    for last in lasts:
        sent.add(Train(first, last, last - first + 1, 1000 * (last - first + 1)))
        first = last + 1
    return sent


def acked(largest: int, *, is_settled: bool = True) -> Outcome:
    return Outcome(largest, is_settled, lost=0, runs=0, largest_lost=-1)


def lost(largest_acked: int, count: int, largest_lost: int, runs: int = 1) -> Outcome:
    return Outcome(largest_acked, True, count, runs, largest_lost)


def test_all_trains_up_to_the_largest_acknowledged_are_named_once() -> None:
    sent = trains(9, 19, 29)
    assert sent.acked(acked(24)) == [9, 19]
    assert sent.acked(acked(28)) == []
    assert sent.acked(acked(29)) == [29]
    assert sent.acked(acked(29)) == []


def test_nothing_is_named_that_may_only_come_late() -> None:
    sent = trains(5, 7, 8, 9)
    assert sent.acked(acked(9, is_settled=False)) == [5, 9]
    assert sent.acked(acked(9)) == [7, 8]


def test_a_last_number_that_was_lost_is_never_named() -> None:
    sent = trains(9, 19, 29)
    outcome = lost(29, 3, 19)  # 17, 18 and 19
    assert sent.lost(outcome) == [Losses(19, 3, 3000)]
    assert sent.acked(outcome) == [9, 29]
    assert sent.acked(acked(99)) == []


def test_a_train_that_lost_others_of_its_packets_is_named_too() -> None:
    sent = trains(9, 19, 29)
    outcome = lost(29, 3, 14)
    assert sent.lost(outcome) == [Losses(19, 3, 3000)]
    assert sent.acked(outcome) == [9, 19, 29]


def test_a_number_that_was_lost_while_others_wait_is_not_named_later() -> None:
    sent = trains(7, 8, 9)
    assert sent.acked(Outcome(9, False, lost=1, runs=1, largest_lost=7)) == [9]
    assert sent.acked(acked(10)) == [8]


def test_a_packet_of_a_train_that_was_named_can_be_lost_yet() -> None:
    sent = trains(9, 19)
    assert sent.acked(acked(19, is_settled=False)) == [9, 19]
    assert sent.lost(lost(19, 1, 18)) == [Losses(19, 1, 1000)]


def test_one_run_is_shared_out_to_its_trains() -> None:
    sent = trains(9, 19, 29, 39)
    outcome = lost(39, 16, 23)  # from 8 on
    assert sent.lost(outcome) == [Losses(9, 2, 2000), Losses(19, 10, 10_000), Losses(29, 4, 4000)]
    assert sent.acked(outcome) == [29, 39]


def test_of_several_runs_nothing_is_named_below_the_newest() -> None:
    sent = trains(9, 19, 29, 39)
    outcome = lost(39, 4, 22, runs=2)
    assert sent.lost(outcome) == [Losses(29, 4, 4000)]
    assert sent.acked(outcome) == [29, 39]


def test_the_oldest_has_what_belongs_to_no_train() -> None:
    sent = trains(19, 29, first=11)  # number 10 was skipped, the trains before are forgotten
    assert sent.lost(lost(29, 15, 22)) == [Losses(19, 12, 12_000), Losses(29, 3, 3000)]
    assert sent.lost(lost(29, 1, 5)) == []


def test_numbers_of_32_bits_go_round() -> None:
    top = 2**32
    sent = trains(5, first=0)
    sent.clear()
    sent.add(Train(top - 4, top - 3, 2, 2000))
    sent.add(Train(top - 2, 1, 4, 4000))
    sent.add(Train(2, 5, 4, 4000))
    outcome = lost(top + 5, 2, top)
    assert sent.lost(outcome) == [Losses(1, 2, 2000)]
    assert sent.acked(outcome) == [top - 3, 1, 5]


def test_there_is_a_limit_and_the_oldest_go_first() -> None:
    sent = SentTrains(limit=2)
    assert [sent.add(Train(number, number, 1, 1000)) for number in range(4)] == [True, True, False, False]
    assert sent.acked(acked(3)) == [2, 3]


@pytest.mark.parametrize("largest", [-1, 4])
def test_nothing_is_named_before_it_is_acknowledged(largest: int) -> None:
    assert trains(9).acked(acked(largest)) == []
