"""The ledger of sent packets."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.constants import PROTOCOL_VIOLATION
from fastmux.exceptions import ProtocolError


def ledger(core: Any, count: int, *, size: int = 1000, gap: float = 0.01) -> Any:
    """A ledger of `count` packets, one every `gap` seconds from 1.0 on."""
    sent = core.SentPackets()
    for number in range(count):
        sent.add(size, 1.0 + number * gap)
    return sent


def test_numbers_are_consecutive(core: Any) -> None:
    sent = core.SentPackets()
    assert [sent.add(100, 1.0), sent.skip(), sent.add(100, 1.0), sent.next_packet_number] == [0, 1, 2, 3]


def test_bytes_in_flight_are_those_sent_and_not_yet_told_of(core: Any) -> None:
    sent = ledger(core, 5)
    assert sent.bytes_in_flight == 5000
    assert sent.acknowledge([(3, 5), (0, 1)], 0.0, 2.0) == [0, 3, 4]
    assert sent.bytes_in_flight == 2000
    assert sent.detect_losses(10.0, 2.0) == [1]
    assert (sent.bytes_in_flight, len(sent)) == (1000, 1)


def test_an_acknowledgement_counts_once(core: Any) -> None:
    sent = ledger(core, 3)
    assert sent.acknowledge([(0, 3)], 0.0, 2.0) == [0, 1, 2]
    assert sent.acknowledge([(0, 3)], 0.0, 3.0) == []


@pytest.mark.parametrize("ranges", [[(0, 4)], [(3, 4)], [(2, 3), (0, 9)]])
def test_an_ack_of_what_was_never_sent_is_a_violation_and_changes_nothing(
    core: Any, ranges: list[tuple[int, int]]
) -> None:
    sent = ledger(core, 3)
    with pytest.raises(ProtocolError) as caught:
        sent.acknowledge(ranges, 0.0, 2.0)
    assert caught.value.code == PROTOCOL_VIOLATION
    assert (len(sent), sent.largest_acked, sent.take_summary()) == (3, -1, None)


def test_an_ack_of_a_skipped_number_is_a_violation(core: Any) -> None:
    sent = core.SentPackets()
    sent.add(100, 1.0)
    sent.skip()
    sent.add(100, 1.0)
    with pytest.raises(ProtocolError):
        sent.acknowledge([(0, 3)], 0.0, 2.0)
    assert sent.acknowledge([(2, 3), (0, 1)], 0.0, 2.0) == [0, 2]


@pytest.mark.parametrize("named", [(1, 2), (0, 2), (1, 3), (0, 3)])
def test_a_skipped_number_is_found_wherever_in_a_range_it_is(core: Any, named: tuple[int, int]) -> None:
    sent = core.SentPackets()
    sent.add(100, 1.0)
    sent.skip()
    sent.add(100, 1.0)
    with pytest.raises(ProtocolError) as caught:
        sent.acknowledge([named], 0.0, 2.0)
    assert caught.value.code == PROTOCOL_VIOLATION
    assert len(sent) == 2


def test_a_packet_three_below_the_largest_acknowledged_is_lost(core: Any) -> None:
    sent = ledger(core, 6, gap=0.0)
    sent.acknowledge([(4, 5)], 0.0, 1.0)
    assert sent.detect_losses(10.0, 1.0) == [0, 1]
    sent.acknowledge([(5, 6)], 0.0, 1.0)
    assert sent.detect_losses(10.0, 1.0) == [2]


def test_a_packet_is_lost_by_time_only_below_the_largest_acknowledged(core: Any) -> None:
    sent = ledger(core, 3)  # at 1.00, 1.01, 1.02
    assert sent.detect_losses(0.1, 9.0) == []
    assert sent.loss_at is None
    sent.acknowledge([(1, 2)], 0.0, 1.05)
    assert sent.detect_losses(0.1, 1.05) == []
    assert sent.loss_at == 1.0 + 0.1
    assert sent.detect_losses(0.1, sent.loss_at) == [0]
    assert sent.loss_at is None
    assert len(sent) == 1


@given(sent_at=st.floats(0, 1e6), loss_delay=st.floats(1e-3, 10))
def test_at_the_time_that_loss_at_tells_the_packet_is_lost(
    core: Any, sent_at: float, loss_delay: float
) -> None:
    sent = core.SentPackets()
    sent.add(100, sent_at)
    sent.add(100, sent_at)
    sent.acknowledge([(1, 2)], 0.0, sent_at)
    sent.detect_losses(loss_delay, sent_at)
    assert sent.loss_at is not None
    assert sent.detect_losses(loss_delay, sent.loss_at) == [0]


def test_a_late_ack_of_a_lost_packet_is_ignored(core: Any) -> None:
    sent = ledger(core, 5)
    sent.acknowledge([(4, 5)], 0.0, 2.0)
    assert sent.detect_losses(10.0, 2.0) == [0, 1]
    assert sent.acknowledge([(0, 2)], 0.0, 2.0) == []


def test_a_bare_ack_takes_a_number_and_is_not_kept(core: Any) -> None:
    sent = core.SentPackets()
    assert sent.add(40, 1.0, False, False) == 0
    assert (len(sent), sent.bytes_in_flight, sent.last_eliciting_sent_at) == (0, 0, None)
    assert sent.acknowledge([(0, 1)], 0.0, 2.0) == []
    assert sent.largest_acked == 0


def test_bare_acks_for_ever_cost_nothing(core: Any) -> None:
    sent = core.SentPackets()
    for number in range(5000):
        assert sent.add(40, 1.0, False, False) == number
    assert len(sent) == 0


def test_the_newest_eliciting_time_stands_while_one_is_in_flight(core: Any) -> None:
    sent = ledger(core, 2)
    sent.add(1000, 5.0, False, True)  # padding alone: in flight, elicits nothing
    assert sent.last_eliciting_sent_at == 1.01
    sent.acknowledge([(1, 2)], 0.0, 6.0)
    assert sent.last_eliciting_sent_at == 1.01  # RFC 9002 A.3: the last sent, whatever is left
    sent.acknowledge([(0, 1)], 0.0, 6.0)
    assert sent.last_eliciting_sent_at is None


def test_the_summary_sums_up_acknowledged_and_lost(core: Any) -> None:
    sent = ledger(core, 6)
    sent.acknowledge([(4, 6)], 0.003, 2.0)
    sent.detect_losses(10.0, 2.0)
    summary = sent.take_summary()
    assert (summary.acked_size, summary.acked_packets, summary.max_acked_size) == (2000, 2, 1000)
    assert (summary.lost_size, summary.lost_packets, summary.max_lost_size) == (3000, 3, 1000)
    assert (summary.largest_acked, summary.largest_acked_sent_at) == (5, 1.05)
    assert summary.largest_lost_sent_at == 1.02
    assert (summary.latest_rtt, summary.ack_delay) == (2.0 - 1.05, 0.003)
    assert (summary.prior_in_flight, summary.bytes_in_flight) == (6000, 1000)
    assert sent.take_summary() is None


def test_there_is_no_rtt_sample_unless_the_largest_is_newly_acknowledged(core: Any) -> None:
    sent = ledger(core, 4)
    sent.acknowledge([(3, 4)], 0.0, 2.0)
    sent.take_summary()
    sent.acknowledge([(0, 4)], 0.0, 3.0)
    summary = sent.take_summary()
    assert (summary.acked_packets, summary.latest_rtt) == (3, None)
    assert summary.largest_acked_sent_at == 1.03


def test_there_is_no_rtt_sample_without_an_eliciting_packet(core: Any) -> None:
    sent = core.SentPackets()
    sent.add(1000, 1.0, False, True)
    sent.acknowledge([(0, 1)], 0.0, 2.0)
    assert sent.take_summary().latest_rtt is None


def test_the_lost_span_is_broken_by_an_acknowledged_packet(core: Any) -> None:
    sent = ledger(core, 10, gap=1.0)
    sent.acknowledge([(9, 10), (3, 4)], 0.0, 20.0)
    assert sent.detect_losses(0.1, 20.0) == [0, 1, 2, 4, 5, 6, 7, 8]
    assert sent.take_summary().lost_span == 4.0


def test_the_lost_span_goes_on_over_numbers_that_were_not_kept(core: Any) -> None:
    sent = core.SentPackets()
    for number in range(6):
        sent.add(1000, float(number))
        sent.add(40, float(number), False, False)
    sent.skip()
    sent.add(1000, 9.0)
    sent.acknowledge([(13, 14)], 0.0, 20.0)
    sent.detect_losses(0.1, 20.0)
    assert sent.take_summary().lost_span == 5.0


def test_the_delivery_rate_is_what_was_delivered_over_the_time_it_took(core: Any) -> None:
    sent = core.SentPackets()
    for number in range(10):
        sent.add(1000, 1.0 + number * 0.01)
    sent.acknowledge([(0, 10)], 0.0, 1.2)
    summary = sent.take_summary()
    assert summary.delivered == 10_000
    assert summary.delivery_rate == pytest.approx(10_000 / 0.2)
    assert summary.is_app_limited is False


def test_samples_are_app_limited_until_what_was_in_flight_is_delivered(core: Any) -> None:
    sent = ledger(core, 1)
    sent.set_app_limited()
    sent.add(1000, 2.0)
    sent.acknowledge([(0, 1)], 0.0, 2.1)
    assert sent.take_summary().is_app_limited is False
    sent.acknowledge([(1, 2)], 0.0, 2.2)
    assert sent.take_summary().is_app_limited is True
    sent.add(1000, 3.0)
    sent.acknowledge([(2, 3)], 0.0, 3.1)
    assert sent.take_summary().is_app_limited is False


def test_one_stuck_packet_in_a_long_flight_costs_no_time(core: Any) -> None:
    sent = core.SentPackets()
    for number in range(20_000):
        sent.add(1000, float(number))
        if number > 2:
            sent.acknowledge([(number, number + 1), (1, 2)], 0.0, float(number))
    assert len(sent) == 2


@pytest.mark.parametrize("ranges", [[], [(2, 2)], [(2, 1)]])
def test_no_ranges_are_a_value_error(core: Any, ranges: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError):
        ledger(core, 3).acknowledge(ranges, 0.0, 2.0)


def test_the_rate_sample_says_what_was_delivered_in_flight_and_lost_when_its_packet_was_sent(
    core: Any,
) -> None:
    sent = ledger(core, 10)
    sent.acknowledge([(0, 2)], 0.0, 1.2)
    first = sent.take_summary()
    assert (first.delivered, first.prior_delivered, first.tx_in_flight) == (2000, 0, 2000)
    sent.add(1000, 1.3)  # number 10: 8,000 bytes in flight before it
    sent.acknowledge([(5, 6)], 0.0, 1.4)
    assert sent.detect_losses(10.0, 1.4) == [2]
    sent.take_summary()
    sent.acknowledge([(10, 11)], 0.0, 1.5)
    sent.detect_losses(10.0, 1.5)  # 3, 4, 6, 7
    summary = sent.take_summary()
    assert (summary.delivered, summary.prior_delivered, summary.tx_in_flight) == (4000, 2000, 9000)
    assert summary.lost_since_sent == 5000


def test_losses_before_a_packet_was_sent_are_none_since(core: Any) -> None:
    sent = ledger(core, 4)
    sent.acknowledge([(3, 4)], 0.0, 1.1)
    assert sent.detect_losses(10.0, 1.1) == [0]
    sent.add(1000, 2.0)
    sent.take_summary()
    sent.acknowledge([(4, 5)], 0.0, 2.1)
    assert sent.take_summary().lost_since_sent == 0


def test_a_summary_of_losses_alone_has_no_rate_sample(core: Any) -> None:
    sent = ledger(core, 4)
    sent.acknowledge([(3, 4)], 0.0, 1.1)
    sent.take_summary()
    sent.detect_losses(0.01, 9.0)
    summary = sent.take_summary()
    assert (summary.delivery_rate, summary.prior_delivered, summary.tx_in_flight) == (None, 0, 0)
    assert (summary.lost_since_sent, summary.lost_packets, summary.delivered) == (0, 3, 1000)


def test_lost_neighbours_are_one_run(core: Any) -> None:
    sent = ledger(core, 12)
    sent.acknowledge([(10, 12), (6, 7), (2, 4)], 0.0, 2.0)
    assert sent.detect_losses(0.1, 2.0) == [0, 1, 4, 5, 7, 8, 9]
    assert sent.largest_lost == 9
    assert sent.take_summary().lost_runs == 3


def test_the_largest_number_lost_is_that_of_all_time(core: Any) -> None:
    sent = ledger(core, 12)
    assert sent.largest_lost == -1
    sent.acknowledge([(1, 4)], 0.0, 2.0)
    assert sent.detect_losses(10.0, 2.0) == [0]
    assert sent.largest_lost == 0
    sent.acknowledge([(11, 12)], 0.0, 2.0)
    assert sent.detect_losses(10.0, 2.0) == [4, 5, 6, 7, 8]
    assert sent.largest_lost == 8
    assert sent.detect_losses(0.1, 2.0) == [9, 10]
    sent.take_summary()
    sent.acknowledge([(9, 11)], 0.0, 3.1)  # late: they stay lost
    assert sent.largest_lost == 10


def test_the_volume_at_which_losses_passed_two_per_cent_is_that_of_the_first_packet_over_it(
    core: Any,
) -> None:
    sent = ledger(core, 200)
    sent.acknowledge([(8, 200)], 0.0, 4.0)
    assert len(sent.detect_losses(10.0, 4.0)) == 8
    # Number 0 was alone in flight: all of it is lost, and none of it fits.
    assert sent.take_summary().inflight_at_excess == 0.0

    sent = ledger(core, 200)
    sent.acknowledge([(0, 100), (103, 200)], 0.0, 4.0)
    sent.detect_losses(10.0, 4.0)
    # When number 102 was sent 103,000 bytes were in flight, and 3,000 of them were lost: over 2 %. Of the
    # 102,000 before it 2,000 were: 2 % are reached (0.02 * 102,000 - 2,000) / 0.98 bytes into it.
    assert sent.take_summary().inflight_at_excess == pytest.approx(102_000 + 40 / 0.98)


def test_of_several_packets_over_the_threshold_the_first_says_at_which_volume(core: Any) -> None:
    sent = ledger(core, 200)
    sent.acknowledge([(0, 100), (103, 150), (151, 200)], 0.0, 4.0)
    assert sent.detect_losses(10.0, 4.0) == [100, 101, 102, 150]
    assert sent.take_summary().inflight_at_excess == pytest.approx(100_000 / 0.98)  # 150 would say 150,000


@pytest.mark.parametrize("is_limited", [False, True])
def test_it_is_told_whether_the_packet_over_the_threshold_was_app_limited(
    core: Any, is_limited: bool
) -> None:
    sent = core.SentPackets()
    if is_limited:
        sent.set_app_limited()
    for number in range(4):
        sent.add(1000, 1.0 + number)
    sent.acknowledge([(3, 4)], 0.0, 9.0)
    sent.detect_losses(10.0, 9.0)
    assert sent.take_summary().is_excess_app_limited is is_limited


def test_few_losses_in_a_large_flight_are_not_over_the_threshold(core: Any) -> None:
    sent = ledger(core, 200)
    sent.acknowledge([(0, 150), (152, 200)], 0.0, 4.0)
    assert sent.detect_losses(10.0, 4.0) == [150, 151]
    summary = sent.take_summary()
    assert (summary.lost_packets, summary.inflight_at_excess) == (2, None)


@pytest.mark.parametrize("is_kept", [True, False], ids=["acknowledged packets", "bare ACKs"])
def test_one_stuck_packet_holds_no_memory_for_those_after_it(core: Any, is_kept: bool) -> None:
    before = core.live()
    sent = core.SentPackets()
    sent.add(1200, 1.0)
    for number in range(1, 20_001):
        sent.add(1200, 1.0, is_kept, is_kept)
        if is_kept:
            sent.acknowledge([(number, number + 1)], 0.0, 1.0)
    assert core.live()[0] - before[0] <= 4096
    assert sent.acknowledge([(0, 20_001)], 0.0, 2.0) == [0]
    del sent
    assert core.live() == before


def test_any_order_of_acknowledgement_and_loss_finds_each_packet_once(core: Any) -> None:
    random = Random(5)
    sent, model = core.SentPackets(), dict[int, int]()
    for step in range(600):
        for _ in range(random.randrange(40)):
            size = random.randrange(1, 1500)
            if random.random() < 0.2:
                sent.add(size, float(step), False, False)
            else:
                model[sent.add(size, float(step))] = size
        start = max(0, sent.next_packet_number - random.randrange(1, 400))
        stop = min(sent.next_packet_number, start + random.randrange(1, 60))
        if start < stop:
            taken = [number for number in sorted(model) if start <= number < stop]
            assert sent.acknowledge([(start, stop)], 0.0, float(step)) == taken
            for number in taken:
                del model[number]
        if random.random() < 0.3:
            for number in sent.detect_losses(50.0, float(step)):
                del model[number]
        assert (len(sent), sent.bytes_in_flight) == (len(model), sum(model.values()))


@pytest.mark.parametrize("ranges", [[(0, 1.9)], [(0.0, 1)], [(0, "1")], [(0, 1), (1, None)]])
def test_what_is_no_integer_acknowledges_nothing(core: Any, ranges: Any) -> None:
    sent = core.SentPackets()
    for _ in range(3):
        sent.add(1200, 1.0)
    with pytest.raises(TypeError):
        sent.acknowledge(ranges, 0.0, 2.0)
    assert (sent.largest_acked, len(sent)) == (-1, 3)
