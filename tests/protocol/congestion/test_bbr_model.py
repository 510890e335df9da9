"""BBR's model as a whole: bandwidth within its bounds, and volumes (draft-ietf-ccwg-bbr-06 §5.5, §5.6)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fastmux.constants import MAX_TRAIN_SIZE
from fastmux.protocol.congestion.bbr_loss import BETA, PACING_MARGIN
from fastmux.protocol.congestion.bbr_model import PathModel, is_inflight_too_high
from protocol.congestion.scripted_path import BDP, RATE, RTT, SIZE, sample

WINDOW = 2 * BDP


def take(model: PathModel, delivered: float, prior: float, *, in_flight: float = 0, **how: Any) -> None:
    news = sample(delivered=delivered, prior=prior, in_flight=in_flight)._replace(**how)
    model.on_sample(news, WINDOW, False, 1.0)
    model.settle(news)


def known() -> PathModel:
    """A model of a path of RATE and RTT."""
    model = PathModel(SIZE)
    model.min_rtt.on_sample(RTT, 1.0)
    take(model, BDP, 0)
    return model


def test_before_a_sample_the_bdp_is_an_initial_window() -> None:
    assert PathModel(SIZE).bdp(0.0) == 10 * SIZE


def test_the_bdp_is_the_rate_for_a_round_trip() -> None:
    model = known()
    assert model.bandwidth == RATE
    assert model.bdp(model.bandwidth) == pytest.approx(BDP)
    assert model.inflight(RATE, 2.0, 5000) == pytest.approx(2 * BDP + 5000)


def test_a_loss_bounds_the_bandwidth_until_it_is_reset() -> None:
    model = known()
    for step in (1, 2):
        model.on_loss(sample(delivered=step * BDP, prior=0)._replace(lost_runs=1))
        take(model, (step + 1) * BDP, step * BDP, delivery_rate=RATE / 2)
    assert model.bandwidth == pytest.approx(BETA * RATE / PACING_MARGIN)
    model.short_term.reset()
    model.bound_bandwidth()
    assert model.bandwidth == RATE


def test_only_rounds_that_the_path_limited_tell_that_the_pipe_is_full() -> None:
    model = PathModel(SIZE)
    for step in range(10):
        take(model, (step + 1) * BDP, step * BDP, is_app_limited=True)
    assert not model.full_pipe.was_reached
    for step in range(10, 14):
        take(model, (step + 1) * BDP, step * BDP)
    assert model.full_pipe.was_reached


def test_a_full_window_counts_for_the_round_and_the_next() -> None:
    model = PathModel(SIZE)
    take(model, BDP, 0, in_flight=WINDOW - 4 * SIZE)
    assert model.is_window_limited
    take(model, 2 * BDP, BDP)
    assert model.is_window_limited
    take(model, 3 * BDP, 2 * BDP)
    assert not model.is_window_limited
    take(model, 4 * BDP, 3 * BDP, in_flight=WINDOW - 5 * SIZE)
    assert not model.is_window_limited


def test_no_volume_is_below_four_datagrams_or_what_leaves_at_once() -> None:
    model = known()
    assert model.inflight(0.0) == 4 * SIZE
    model.set_quantum(20e6)
    assert model.inflight(0.0) == 20_000
    model.set_quantum(1e12)
    assert model.inflight(0.0) == MAX_TRAIN_SIZE


def test_what_a_probe_found_too_much_is_bounded_but_not_below_what_cubic_would_keep() -> None:
    model = known()
    model.reduce_longterm(0.9 * BDP, WINDOW)
    assert model.inflight_longterm == pytest.approx(0.9 * BDP)
    model.reduce_longterm(0.1 * BDP, WINDOW)
    assert model.inflight_longterm == pytest.approx(BETA * BDP)
    model.reduce_longterm(0.1 * BDP, BDP / 2)  # congestion had cut the window already
    assert model.inflight_longterm == pytest.approx(BETA * BDP / 2)


def test_headroom_is_a_seventh_and_at_least_a_datagram() -> None:
    model = PathModel(SIZE)
    assert model.inflight_with_headroom() == math.inf
    model.inflight_longterm = 100 * SIZE
    assert model.inflight_with_headroom() == pytest.approx(85 * SIZE)
    model.inflight_longterm = 5.5 * SIZE
    assert model.inflight_with_headroom() == pytest.approx(4.5 * SIZE)
    model.inflight_longterm = 2 * SIZE
    assert model.inflight_with_headroom() == 4 * SIZE


@pytest.mark.parametrize(("lost", "is_too_high"), [(2000, False), (2001, True)])
def test_more_than_two_per_cent_lost_is_too_high(lost: int, is_too_high: bool) -> None:
    news = sample(delivered=0, prior=0, tx_in_flight=100_000)._replace(lost_since_sent=lost)
    assert is_inflight_too_high(news) is is_too_high
