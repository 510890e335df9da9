"""Slow start, recovery periods and persistent congestion: the same for NewReno and CUBIC."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from fastmux.protocol.congestion.base import minimum_window
from fastmux.protocol.congestion.cubic import Cubic
from fastmux.protocol.congestion.loss_based import LossBasedController
from fastmux.protocol.congestion.new_reno import NewReno
from fastmux.protocol.rtt import RttEstimator
from protocol.summaries import acked, lost

SIZE = 1200
INITIAL = 10 * SIZE
Maker = Callable[[int], LossBasedController]
both = pytest.mark.parametrize("make", [NewReno, Cubic])


def path(rtt: float = 0.1) -> RttEstimator:
    estimator = RttEstimator()
    estimator.update(rtt, 0.0, 0.025, True)
    return estimator


@both
def test_a_new_path_starts_in_slow_start_with_ten_datagrams(make: Maker) -> None:
    controller = make(SIZE)
    assert controller.congestion_window == INITIAL
    assert controller.ssthresh == math.inf
    assert controller.in_slow_start


@both
def test_slow_start_doubles_the_window_each_round_trip(make: Maker) -> None:
    controller, rtt = make(SIZE), path()
    for round_trip in range(1, 6):
        window = controller.congestion_window
        controller.on_summary(acked(window, 0.1 * round_trip - 0.1), rtt, 0.1 * round_trip)
        assert controller.congestion_window == 2 * window


@both
def test_one_large_batch_grows_the_window_as_many_small_ones_do(make: Maker) -> None:
    batched, single, rtt = make(SIZE), make(SIZE), path()
    batched.on_summary(acked(INITIAL, 0.0), rtt, 0.1)
    for _ in range(10):
        single.on_summary(acked(SIZE, 0.0), rtt, 0.1)
    assert batched.congestion_window == single.congestion_window


@both
def test_a_loss_ends_slow_start_and_shrinks_the_window_once(make: Maker) -> None:
    controller, rtt = make(SIZE), path()
    controller.on_summary(lost(SIZE, 1.0), rtt, 1.1)
    window = controller.congestion_window
    assert window < INITIAL
    assert controller.ssthresh == window
    assert not controller.in_slow_start
    controller.on_summary(lost(5 * SIZE, 1.05), rtt, 1.15)
    controller.on_summary(lost(SIZE, 1.1), rtt, 1.18)
    assert controller.congestion_window == window


@both
def test_a_loss_of_what_was_sent_in_recovery_begins_a_new_period(make: Maker) -> None:
    controller, rtt = make(SIZE), path()
    controller.on_summary(lost(SIZE, 1.0), rtt, 1.1)
    window = controller.congestion_window
    controller.on_summary(lost(SIZE, 1.11), rtt, 1.2)
    assert controller.congestion_window < window


@both
def test_acknowledgements_from_before_the_recovery_period_do_not_grow_the_window(
    make: Maker,
) -> None:
    controller, rtt = make(SIZE), path()
    controller.on_summary(lost(SIZE, 1.0), rtt, 1.1)
    window = controller.congestion_window
    controller.on_summary(acked(window, 1.1), rtt, 1.15)
    assert controller.congestion_window == window
    controller.on_summary(acked(window, 1.11), rtt, 1.25)
    controller.on_summary(acked(window, 1.26), rtt, 1.36)
    assert controller.congestion_window > window


@both
def test_a_batch_with_a_loss_does_not_grow_the_window_it_shrank(make: Maker) -> None:
    mixed, only_lost, rtt = make(SIZE), make(SIZE), path()
    loss = lost(SIZE, 1.0)
    mixed.on_summary(
        loss._replace(acked_size=5 * SIZE, acked_packets=5, largest_acked_sent_at=1.05), rtt, 1.1
    )
    only_lost.on_summary(loss, rtt, 1.1)
    assert mixed.congestion_window == only_lost.congestion_window


@both
def test_a_lost_mtu_probe_is_no_congestion(make: Maker) -> None:
    controller = make(SIZE)
    controller.on_summary(acked(SIZE, 0.0)._replace(largest_lost_sent_at=1.0), path(), 1.1)
    assert controller.congestion_window == INITIAL + SIZE


@both
def test_an_app_limited_sender_keeps_its_window(make: Maker) -> None:
    controller, rtt = make(SIZE), path()
    for second in range(100):
        summary = acked(SIZE, float(second), in_flight=SIZE, is_app_limited=True)
        controller.on_summary(summary, rtt, second + 0.1)
    assert controller.congestion_window == INITIAL


@both
def test_however_many_losses_the_window_stays_at_two_datagrams(make: Maker) -> None:
    controller, rtt = make(SIZE), path()
    for second in range(1, 50):
        controller.on_summary(lost(SIZE, float(second)), rtt, second + 0.5)
    assert controller.congestion_window == minimum_window(SIZE)


@both
def test_persistent_congestion_starts_again_from_two_datagrams_in_slow_start(make: Maker) -> None:
    controller, rtt = make(SIZE), path()
    controller.on_summary(acked(10 * INITIAL, 0.5), rtt, 0.6)
    controller.on_summary(lost(SIZE, 1.0), rtt, 2.0)
    ssthresh = controller.ssthresh
    controller.on_persistent_congestion(2.0)
    assert controller.congestion_window == 2 * SIZE
    assert controller.ssthresh == ssthresh
    assert controller.in_slow_start
    controller.on_summary(acked(2 * SIZE, 2.1), rtt, 2.2)
    assert controller.congestion_window == 4 * SIZE


@both
def test_late_losses_of_the_old_flight_do_not_take_ssthresh_to_the_minimum(make: Maker) -> None:
    controller, rtt = make(SIZE), path()
    controller.on_summary(lost(SIZE, 1.0), rtt, 1.1)
    ssthresh = controller.ssthresh
    controller.on_persistent_congestion(2.0)
    controller.on_summary(lost(4 * SIZE, 1.9), rtt, 2.05)
    assert controller.ssthresh == ssthresh


@both
def test_slow_start_stops_at_ssthresh_within_a_batch(make: Maker) -> None:
    controller, rtt = make(SIZE), path()
    controller.on_summary(lost(SIZE, 1.0), rtt, 2.0)
    controller.on_persistent_congestion(2.0)
    controller.on_summary(acked(100 * SIZE, 2.1), rtt, 2.2)
    assert controller.ssthresh <= controller.congestion_window <= controller.ssthresh + SIZE
    assert not controller.in_slow_start


@both
def test_a_new_mtu_recalculates_the_initial_window_and_lets_no_other_be_below_it(make: Maker) -> None:
    fresh, used, large, lossy = make(SIZE), make(SIZE), make(SIZE), make(SIZE)
    fresh.set_max_datagram_size(8952)
    assert fresh.congestion_window == 2 * 8952
    fresh.set_max_datagram_size(1452)
    assert fresh.congestion_window == 14_520
    used.on_summary(acked(SIZE, 0.0), path(), 0.1)
    used.set_max_datagram_size(1452)
    assert used.congestion_window == 14_520
    large.on_summary(acked(10 * SIZE, 0.0), path(), 0.1)
    large.set_max_datagram_size(1452)
    assert large.congestion_window == 20 * SIZE
    lossy.on_summary(lost(SIZE, 1.0), path(), 2.0)
    before = lossy.congestion_window
    lossy.set_max_datagram_size(1452)
    assert lossy.congestion_window == before < 14_520


@both
def test_a_larger_datagram_raises_the_least_window(make: Maker) -> None:
    controller = make(SIZE)
    controller.on_summary(lost(SIZE, 1.0), path(), 2.0)
    controller.on_persistent_congestion(2.0)
    controller.set_max_datagram_size(1452)
    assert controller.congestion_window == 2904


@both
def test_the_pace_follows_window_and_round_trip(make: Maker) -> None:
    controller, rtt = make(SIZE), path(0.1)
    assert controller.pacing_rate(rtt) == pytest.approx(2 * INITIAL / 0.1)
    controller.on_summary(lost(SIZE, 1.0), rtt, 1.1)
    expected = 1.25 * controller.congestion_window / 0.1
    assert controller.pacing_rate(rtt) == pytest.approx(expected, rel=0.001)
