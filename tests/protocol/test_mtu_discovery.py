"""The search for the path MTU (RFC 8899) over simulated paths, in virtual time."""

from __future__ import annotations

import random

import pytest

from fastmux.constants import JUMBO_STEP, MAX_MTU_PROBES, MTU_PROBE_TIMEOUT, PMTU_RAISE_TIMER
from fastmux.protocol.mtu_discovery import RETRY_DELAY, MtuDiscovery, MtuState
from fastmux.records import AckSummary
from protocol.summaries import acked, lost

BASE, MAXIMUM = 1200, 1452
MOST_PROBES = MAX_MTU_PROBES * 10  # MAX_MTU_PROBES * (2 + log2(MAXIMUM - BASE))


def search(mtu: MtuDiscovery, true_mtu: int, now: float = 0.0, drop: float = 0.0) -> list[int]:
    """Run a search over a path that carries `true_mtu`; return the sizes of the probes."""
    dice, sizes = random.Random(true_mtu), []
    while (size := mtu.next_probe(now)) is not None:
        sizes.append(size)
        assert mtu.next_probe(now) is None, "one probe at a time"
        if size <= true_mtu and dice.random() >= drop:
            mtu.on_probe_acked(size, now)
        else:
            mtu.on_probe_lost(size, now)
        assert BASE <= mtu.current <= true_mtu
    return sizes


def at_maximum() -> MtuDiscovery:
    mtu = MtuDiscovery(BASE, MAXIMUM)
    search(mtu, MAXIMUM)
    return mtu


def large_loss(sent_at: float) -> AckSummary:
    return lost(14520, sent_at, datagram_size=MAXIMUM)


def lose_bursts(mtu: MtuDiscovery, count: int, start: float) -> float:
    """`count` bursts of full-size packets are lost, a round trip apart; return when the last was."""
    now = start
    for _ in range(count):
        now += 0.1
        mtu.on_summary(large_loss(now - 0.05), now)
    return now


def test_the_maximum_is_tried_first_and_usually_ends_the_search() -> None:
    mtu = MtuDiscovery(BASE, MAXIMUM)
    assert (mtu.current, mtu.state) == (BASE, MtuState.BASE)
    assert search(mtu, MAXIMUM) == [MAXIMUM]
    assert (mtu.current, mtu.state) == (MAXIMUM, MtuState.SEARCH_COMPLETE)
    assert mtu.deadline is None


@pytest.mark.parametrize("true_mtu", range(BASE, MAXIMUM + 1))
def test_the_search_finds_every_true_mtu_within_a_bounded_number_of_probes(true_mtu: int) -> None:
    mtu = MtuDiscovery(BASE, MAXIMUM)
    assert len(search(mtu, true_mtu)) <= MOST_PROBES
    assert mtu.current == true_mtu


@pytest.mark.parametrize("true_mtu", range(BASE, MAXIMUM + 1, 9))
def test_a_search_over_a_lossy_path_ends_too(true_mtu: int) -> None:
    mtu = MtuDiscovery(BASE, MAXIMUM)
    assert len(search(mtu, true_mtu, drop=0.3)) <= MOST_PROBES
    assert mtu.state is MtuState.SEARCH_COMPLETE


def test_a_size_is_given_up_after_three_lost_probes() -> None:
    assert search(MtuDiscovery(BASE, MAXIMUM), BASE)[:4] == [MAXIMUM] * 3 + [1326]


@pytest.mark.parametrize("maximum", [8952, 65507])
@pytest.mark.parametrize("true_mtu", [1452, 1472, 1500, 2000, 3851])
def test_an_ordinary_path_costs_the_lost_probes_of_one_jumbo_size(maximum: int, true_mtu: int) -> None:
    mtu = MtuDiscovery(BASE, maximum)
    assert search(mtu, true_mtu) == [1452] + 3 * [3852]
    assert (mtu.current, mtu.state) == (1452, MtuState.SEARCH_COMPLETE)
    assert mtu.deadline == PMTU_RAISE_TIMER
    assert search(mtu, true_mtu, now=PMTU_RAISE_TIMER - 1) == []
    assert search(mtu, true_mtu, now=PMTU_RAISE_TIMER) == 3 * [3852]


def test_a_path_below_the_usual_size_is_not_tried_with_a_larger_one() -> None:
    mtu = MtuDiscovery(BASE, 8952)
    assert max(search(mtu, 1371)) == 1452
    assert mtu.current == 1371


@pytest.mark.parametrize(
    ("maximum", "true_mtu", "probes"),
    [
        (8952, 9000, [1452, 3852, 8952]),
        (8900, 9000, [1452, 3852, 8900]),
        (8952, 65507, [1452, 3852, 8952]),
        (3852, 9000, [1452, 3852]),
        (1472, 1472, [1452, 1472]),
        (16336, 16336, [1452, 3852, 8952, 16336]),
        (65507, 65507, [1452, 3852, 8952, 16336, 65507]),
    ],
)
def test_a_jumbo_path_is_climbed_without_a_lost_probe(maximum: int, true_mtu: int, probes: list[int]) -> None:
    mtu = MtuDiscovery(BASE, maximum)
    assert search(mtu, true_mtu) == probes
    assert (mtu.current, mtu.deadline) == (maximum, None)


@pytest.mark.parametrize("true_mtu", [*range(3852, 65507, 977), 8848, 8452, 4044, 65506])
def test_between_jumbo_sizes_a_path_is_found_to_a_step(true_mtu: int) -> None:
    mtu = MtuDiscovery(BASE, 65507)
    probes = search(mtu, true_mtu)
    assert true_mtu - JUMBO_STEP < mtu.current <= true_mtu
    assert len(probes) <= MAX_MTU_PROBES * 17
    assert mtu.state is MtuState.SEARCH_COMPLETE


def test_a_probe_waits_for_room_and_keeps_no_timer_meanwhile() -> None:
    mtu = MtuDiscovery(BASE, 8952)
    mtu.on_probe_acked(mtu.next_probe(0.0, 1452) or 0, 0.1)
    assert mtu.next_probe(0.2, 3851) is None
    assert mtu.deadline is None
    assert mtu.next_probe(0.3, 3852) == 3852
    assert mtu.deadline == 0.3 + MTU_PROBE_TIMEOUT
    assert mtu.next_probe(0.3 + MTU_PROBE_TIMEOUT, 1452) is None  # given up, and no room for the next
    assert mtu.deadline is None


def test_a_path_that_shrinks_from_jumbo_by_steps_is_followed() -> None:
    mtu = MtuDiscovery(BASE, 8952)
    search(mtu, 9000)
    now = 10.0
    for true_mtu in (1452, 1300, 1200):
        for _ in range(3):
            now += 0.1
            mtu.on_summary(lost(10 * mtu.current, now - 0.05, datagram_size=mtu.current), now)
        assert mtu.current == BASE
        assert mtu.deadline is not None
        now = mtu.deadline
        search(mtu, true_mtu, now=now)
        assert mtu.current == true_mtu


def test_a_maximum_that_is_the_base_needs_no_probe() -> None:
    mtu = MtuDiscovery(BASE, BASE)
    assert mtu.next_probe(0.0) is None
    assert mtu.deadline is None
    assert mtu.current == BASE


def test_a_probe_of_which_nothing_is_heard_is_lost_after_its_timeout() -> None:
    mtu = MtuDiscovery(BASE, MAXIMUM)
    assert mtu.next_probe(1.0) == MAXIMUM
    assert mtu.deadline == 1.0 + MTU_PROBE_TIMEOUT
    assert mtu.next_probe(1.0 + MTU_PROBE_TIMEOUT - 0.001) is None
    assert mtu.next_probe(1.0 + MTU_PROBE_TIMEOUT) == MAXIMUM
    assert mtu.deadline == 1.0 + 2 * MTU_PROBE_TIMEOUT


def test_a_report_of_an_older_probe_is_ignored() -> None:
    mtu = MtuDiscovery(BASE, MAXIMUM)
    assert mtu.next_probe(0.0) == MAXIMUM
    mtu.on_probe_acked(1300, 0.1)
    mtu.on_probe_lost(1300, 0.1)
    assert mtu.current == BASE
    mtu.on_probe_acked(MAXIMUM, 0.1)
    mtu.on_probe_lost(MAXIMUM, 0.1)
    assert mtu.current == MAXIMUM


def test_a_path_below_the_maximum_is_searched_again_after_ten_minutes() -> None:
    mtu = MtuDiscovery(BASE, MAXIMUM)
    search(mtu, 1300)
    assert mtu.deadline == PMTU_RAISE_TIMER
    assert mtu.next_probe(PMTU_RAISE_TIMER - 1) is None
    assert search(mtu, MAXIMUM, now=PMTU_RAISE_TIMER) == [MAXIMUM]
    assert mtu.current == MAXIMUM


def test_three_bursts_of_lost_large_packets_are_a_black_hole() -> None:
    mtu = at_maximum()
    now = lose_bursts(mtu, 2, 10.0)
    assert mtu.current == MAXIMUM
    now = lose_bursts(mtu, 1, now)
    assert mtu.current == BASE
    assert mtu.state is MtuState.BASE


def test_after_a_black_hole_the_search_waits_and_then_finds_the_new_mtu() -> None:
    mtu = at_maximum()
    now = lose_bursts(mtu, 3, 10.0)
    assert mtu.deadline == now + RETRY_DELAY
    assert mtu.next_probe(now + RETRY_DELAY - 0.001) is None
    search(mtu, 1371, now=now + RETRY_DELAY)
    assert mtu.current == 1371


def test_losses_of_one_round_trip_are_one_burst_however_often_they_are_reported() -> None:
    mtu = at_maximum()
    for now in (10.0, 10.01, 10.02, 10.03):
        mtu.on_summary(large_loss(9.9), now)
    assert mtu.current == MAXIMUM


def test_congestion_is_no_black_hole_as_large_packets_still_arrive() -> None:
    mtu = at_maximum()
    for burst in range(50):
        now = lose_bursts(mtu, 1, 10.0 + burst)
        mtu.on_summary(acked(1452, now, datagram_size=MAXIMUM), now + 0.1)
    assert mtu.current == MAXIMUM


def test_acknowledged_small_packets_do_not_hide_a_black_hole() -> None:
    mtu = at_maximum()
    now = 10.0
    for _ in range(3):
        now = lose_bursts(mtu, 1, now)
        mtu.on_summary(acked(1300, now, datagram_size=1300), now + 0.05)
    assert mtu.current == BASE


def test_lost_small_packets_say_nothing_about_the_mtu() -> None:
    mtu = at_maximum()
    for burst in range(50):
        mtu.on_summary(lost(1200, 10.0 + burst), 10.5 + burst)
    assert mtu.current == MAXIMUM


def test_three_probe_timeouts_in_a_row_lead_back_to_the_base() -> None:
    mtu = at_maximum()
    mtu.on_probe_timeout(1, 10.0)
    mtu.on_probe_timeout(2, 10.2)
    assert mtu.current == MAXIMUM
    mtu.on_probe_timeout(3, 10.5)
    assert mtu.current == BASE
    assert mtu.deadline == 10.5 + RETRY_DELAY


def test_a_path_where_nothing_passes_is_not_probed_until_something_is_acknowledged() -> None:
    mtu = MtuDiscovery(BASE, MAXIMUM)
    assert mtu.next_probe(0.0) == MAXIMUM
    for pto_count in (1, 2, 3):
        mtu.on_probe_timeout(pto_count, 0.5 * pto_count)
    assert mtu.state is MtuState.ERROR
    assert mtu.next_probe(1000.0) is None
    assert mtu.deadline is None
    mtu.on_summary(acked(1200, 1000.0), 1000.1)
    assert search(mtu, MAXIMUM, now=1000.1) == [MAXIMUM]


def test_a_path_that_keeps_shrinking_is_searched_more_and_more_rarely() -> None:
    mtu, now, delays = at_maximum(), 10.0, []
    for _ in range(9):
        now = lose_bursts(mtu, 3, now)
        assert mtu.deadline is not None
        delays.append(mtu.deadline - now)
        now = mtu.deadline
        search(mtu, MAXIMUM, now=now)
        assert mtu.current == MAXIMUM
    expected = [min(RETRY_DELAY * 2**hole, PMTU_RAISE_TIMER) for hole in range(9)]
    assert delays[:6] == pytest.approx(expected[:6])
    assert max(delays) <= PMTU_RAISE_TIMER


def test_a_black_hole_long_after_the_last_is_the_first_again() -> None:
    mtu = at_maximum()
    now = lose_bursts(mtu, 3, 10.0)
    search(mtu, MAXIMUM, now=now + RETRY_DELAY)
    now = lose_bursts(mtu, 3, now + PMTU_RAISE_TIMER + 1)
    assert mtu.deadline == pytest.approx(now + RETRY_DELAY)


def test_late_reports_from_before_a_black_hole_change_nothing() -> None:
    mtu = MtuDiscovery(BASE, MAXIMUM)
    search(mtu, 1400)
    assert mtu.next_probe(PMTU_RAISE_TIMER) == MAXIMUM
    mtu.on_probe_timeout(3, PMTU_RAISE_TIMER + 1)
    assert mtu.current == BASE
    mtu.on_probe_acked(MAXIMUM, PMTU_RAISE_TIMER + 2)
    lose_bursts(mtu, 3, PMTU_RAISE_TIMER + 2)
    assert mtu.current == BASE
    assert mtu.deadline == PMTU_RAISE_TIMER + 1 + RETRY_DELAY
