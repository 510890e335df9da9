"""Trains over virtual time: the rate, their length, the wake-ups they need."""

from __future__ import annotations

import pytest

from fastmux.constants import MAX_TRAIN_SEGMENTS, MAX_TRAIN_SIZE
from fastmux.protocol.congestion.base import initial_window
from fastmux.protocol.pacer import Pacer

DATAGRAM = 1452
PLENTY = 10**9
TRAIN = min(MAX_TRAIN_SIZE // DATAGRAM, MAX_TRAIN_SEGMENTS) * DATAGRAM


def run(rate: float, duration: float, late: float = 0.0) -> list[tuple[float, int]]:
    """Send as much as the pacer lets, waking when it asks (and `late`): each (time, size) of a train."""
    pacer, now, trains = Pacer(), 0.0, []
    while now < duration:
        budget = pacer.budget(now, rate, PLENTY, DATAGRAM)
        if budget:
            assert pacer.next_at is None
            size = min(budget, TRAIN)
            pacer.on_sent(size, now)
            trains.append((now, size))
        else:
            assert pacer.next_at is not None
            assert pacer.next_at >= now + 0.001
            now = pacer.next_at + late
    return trains


def total(trains: list[tuple[float, int]]) -> int:
    return sum(size for _, size in trains)


@pytest.mark.parametrize("rate", [1e5, 1e7, 1e9])
def test_the_rate_is_kept_over_time(rate: float) -> None:
    duration = max(0.2, 200 * DATAGRAM / rate)
    burst = max(10 * DATAGRAM, 0.002 * rate)
    sent = total(run(rate, duration))
    assert sent >= rate * duration - DATAGRAM
    assert sent <= rate * (duration + 0.001) + burst + DATAGRAM


@pytest.mark.parametrize("rate", [1e5, 1e7, 1e9])
def test_timers_that_fire_a_millisecond_late_cost_no_rate(rate: float) -> None:
    duration = max(0.2, 200 * DATAGRAM / rate)
    assert total(run(rate, duration, late=0.001)) >= 0.99 * rate * duration


@pytest.mark.parametrize("rate", [1e5, 1e7, 1e9])
def test_no_burst_is_longer_than_two_milliseconds_or_ten_datagrams(rate: float) -> None:
    by_time: dict[float, int] = {}
    for at, size in run(rate, max(0.1, 100 * DATAGRAM / rate)):
        by_time[at] = by_time.get(at, 0) + size
    assert max(by_time.values()) <= max(10 * DATAGRAM, 0.002 * rate) + 0.001 * rate


def test_a_slow_link_gets_one_datagram_at_a_time_after_the_first_ten() -> None:
    trains = run(1e5, 2.0)
    assert trains[0] == (0.0, 10 * DATAGRAM)
    assert {size for _, size in trains[1:]} == {DATAGRAM}
    assert all(at > 0 for at, _ in trains[1:])


def test_a_middling_link_gets_a_train_each_millisecond() -> None:
    sizes = [size for _, size in run(1e7, 0.5)][1:]
    assert min(sizes) >= 6 * DATAGRAM
    assert max(sizes) <= 8 * DATAGRAM
    assert len(sizes) == pytest.approx(500, rel=0.25)


def test_a_fast_link_gets_full_trains() -> None:
    sizes = [size for _, size in run(1e9, 0.1)]
    assert sum(size == TRAIN for size in sizes) / len(sizes) > 0.9


@pytest.mark.parametrize("rtt", [20e-6, 100e-6, 1e-3])
@pytest.mark.parametrize("window", [10 * DATAGRAM, 2**17, 2**22])
def test_where_a_round_trip_is_below_a_timers_granularity_the_window_alone_limits(
    window: int, rtt: float
) -> None:
    pacer, rate = Pacer(), 1.25 * window / rtt
    whole_window = window // DATAGRAM * DATAGRAM
    for round_trip in range(2000):
        now = round_trip * rtt
        in_flight = 0
        while window - in_flight >= DATAGRAM:
            budget = pacer.budget(now, rate, window, DATAGRAM)
            assert budget > 0, "pacing limited what the window allowed"
            size = min(budget, TRAIN, (window - in_flight) // DATAGRAM * DATAGRAM)
            pacer.on_sent(size, now)
            in_flight += size
        assert in_flight == whole_window


def test_an_event_loop_that_looked_away_for_two_milliseconds_makes_up_for_it() -> None:
    pacer, now, sent, rate = Pacer(), 0.0, 0, 5e8
    while now < 0.5:
        while budget := pacer.budget(now, rate, PLENTY, DATAGRAM):
            size = min(budget, TRAIN)
            pacer.on_sent(size, now)
            sent += size
        now += 0.002
    assert sent >= 0.99 * rate * 0.5


@pytest.mark.parametrize(("rate", "least"), [(1e5, DATAGRAM), (1e7, 6 * DATAGRAM), (1e9, TRAIN)])
def test_asking_with_every_acknowledgement_does_not_cut_trains_short(rate: float, least: int) -> None:
    pacer, sizes = Pacer(), []
    for step in range(20_000):
        now = step * 10e-6
        while budget := pacer.budget(now, rate, PLENTY, DATAGRAM):
            sizes.append(min(budget, TRAIN))
            pacer.on_sent(sizes[-1], now)
    assert len(sizes) > 10
    assert min(sizes) >= least


def test_silence_saves_up_no_more_than_a_burst() -> None:
    pacer = Pacer()
    pacer.on_sent(pacer.budget(0.0, 1e6, PLENTY, DATAGRAM), 0.0)
    assert pacer.budget(3600.0, 1e6, PLENTY, DATAGRAM) == 10 * DATAGRAM


def test_the_budget_is_whole_datagrams_of_at_most_a_window() -> None:
    pacer = Pacer()
    assert pacer.budget(0.0, 1e9, 5000, DATAGRAM) == 3 * DATAGRAM
    assert pacer.budget(0.0, 1e9, 100, DATAGRAM) == DATAGRAM


def test_a_debt_made_at_a_high_rate_is_forgotten_when_the_rate_collapses() -> None:
    pacer = Pacer()
    while budget := pacer.budget(0.0, 1e9, PLENTY, DATAGRAM):
        pacer.on_sent(budget, 0.0)
    assert pacer.budget(0.0, 1e5, PLENTY, DATAGRAM) == 0
    assert pacer.next_at is not None
    assert pacer.next_at < 0.031


def test_probes_beyond_the_budget_are_charged() -> None:
    pacer = Pacer()
    pacer.on_sent(pacer.budget(0.0, 1e6, PLENTY, DATAGRAM), 0.0)
    assert pacer.budget(0.001, 1e6, PLENTY, DATAGRAM) == DATAGRAM
    pacer.on_sent(DATAGRAM, 0.001)
    assert pacer.budget(0.001, 1e6, PLENTY, DATAGRAM) == 0


def test_what_went_before_the_first_budget_is_not_paced() -> None:
    pacer = Pacer()
    pacer.on_sent(100_000, 0.0)
    assert pacer.budget(0.0, 1e5, PLENTY, DATAGRAM) == 10 * DATAGRAM


def test_a_clock_that_steps_back_accrues_nothing() -> None:
    pacer = Pacer()
    pacer.on_sent(pacer.budget(10.0, 1e6, PLENTY, DATAGRAM), 10.0)
    assert pacer.budget(5.0, 1e6, PLENTY, DATAGRAM) == 0


@pytest.mark.parametrize("datagram_size", [1452, 3852, 8952, 65507])
def test_the_first_burst_is_an_initial_window_whatever_the_datagram(datagram_size: int) -> None:
    pacer = Pacer()
    budget = pacer.budget(0.0, 1e5, PLENTY, datagram_size)
    assert budget == initial_window(datagram_size) // datagram_size * datagram_size


@pytest.mark.parametrize("datagram_size", [3852, 8952, 16336])
def test_jumbo_datagrams_keep_the_rate(datagram_size: int) -> None:
    pacer, now, sent, rate = Pacer(), 0.0, 0, 12.5e6
    while now < 1.0:
        while budget := pacer.budget(now, rate, PLENTY, datagram_size):
            pacer.on_sent(budget, now)
            sent += budget
        assert pacer.next_at is not None
        now = pacer.next_at
    assert sent == pytest.approx(rate, rel=0.01)


def test_a_clock_that_goes_back_and_forth_lets_nothing_more_go() -> None:
    pacer = Pacer()
    pacer.on_sent(pacer.budget(100.0, 1e6, PLENTY, DATAGRAM), 100.0)
    assert pacer.budget(40.0, 1e6, PLENTY, DATAGRAM) == 0
    assert pacer.budget(100.0, 1e6, PLENTY, DATAGRAM) == 0
