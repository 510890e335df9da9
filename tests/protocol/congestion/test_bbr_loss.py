"""The bounds that follow recent loss (draft-ietf-ccwg-bbr-06 §5.5.10.3)."""

from __future__ import annotations

import math

import pytest

from fastmux.protocol.congestion.bbr_loss import BETA, PACING_MARGIN, ShortTermModel
from protocol.congestion.scripted_path import sample

MAX = 1000.0
WINDOW = 2000.0


def feed(model: ShortTermModel, delivered: int, rate: float, *, is_probing: bool = False) -> None:
    """An acknowledgement of something sent 1,000 bytes before."""
    news = sample(delivered=delivered, prior=delivered - 1000, rate=rate)
    model.on_sample(news)
    model.adapt(MAX, WINDOW, is_probing)
    model.advance(news)


def test_without_loss_nothing_is_bounded() -> None:
    model = ShortTermModel()
    for delivered in range(1000, 20_000, 500):
        feed(model, delivered, 10.0)
    assert (model.bandwidth, model.inflight) == (math.inf, math.inf)


def test_a_loss_bounds_at_the_end_of_its_round_to_what_was_delivered_in_it() -> None:
    model = ShortTermModel()
    feed(model, 2000, 990.0)
    model.on_loss(1, 2000)
    feed(model, 2500, 900.0)
    assert model.bandwidth == math.inf
    feed(model, 3000, 880.0)
    assert model.bandwidth == pytest.approx(990.0 / PACING_MARGIN)  # of the round: the first sample too
    assert model.inflight == BETA * WINDOW


def test_no_round_takes_more_than_three_tenths() -> None:
    model = ShortTermModel()
    bounds = []
    for delivered in range(1000, 5000, 1000):
        model.on_loss(1, delivered)
        model.bandwidth_latest = 0.0
        model.inflight_latest = 0
        feed(model, delivered + 1000, 1.0)
        bounds.append((model.bandwidth, model.inflight))
    for position, (bandwidth, inflight) in enumerate(bounds, 1):
        assert bandwidth == pytest.approx(MAX * BETA**position)
        assert inflight == pytest.approx(max(WINDOW * BETA**position, 1000 / PACING_MARGIN))


def test_a_flow_that_looks_for_the_limit_is_not_bounded_by_meeting_it() -> None:
    model = ShortTermModel()
    model.on_loss(3, 1000)
    feed(model, 2000, 1.0, is_probing=True)
    assert model.bandwidth == math.inf
    feed(model, 3000, 1.0)  # and the loss of that round is over with it
    assert model.bandwidth == math.inf


def test_one_loss_bounds_once() -> None:
    model = ShortTermModel()
    model.on_loss(1, 1000)
    feed(model, 2000, 500.0)
    bound = model.bandwidth
    feed(model, 3000, 500.0)
    feed(model, 4000, 500.0)
    assert model.bandwidth == bound


def test_at_a_pace_below_the_bound_steady_delivery_leaves_it_where_it_is() -> None:
    model = ShortTermModel()
    delivered = 1000
    for _ in range(60):
        model.on_loss(1, delivered)
        delivered += 1000
        bound = min(MAX, model.bandwidth)
        feed(model, delivered, bound * PACING_MARGIN)
    assert model.bandwidth == pytest.approx(MAX)


def test_the_runs_of_a_loss_round_are_counted_until_its_end() -> None:
    model = ShortTermModel()
    feed(model, 1000, 1.0)
    model.on_loss(2, 1000)
    model.on_loss(3, 1500)
    news = sample(delivered=2000, prior=1000)
    model.on_sample(news)
    assert (model.is_round_start, model.lost_runs) == (True, 5)
    model.advance(news)
    assert model.lost_runs == 0


def test_reset_forgets_the_bounds() -> None:
    model = ShortTermModel()
    model.on_loss(1, 1000)
    feed(model, 2000, 500.0)
    model.reset()
    assert (model.bandwidth, model.inflight) == (math.inf, math.inf)


def test_reset_signals_forgets_the_round() -> None:
    model = ShortTermModel()
    feed(model, 1000, 900.0)
    model.on_loss(1, 1000)
    model.reset_signals()
    assert (model.bandwidth_latest, model.inflight_latest) == (0.0, 0)
    feed(model, 2000, 500.0)
    assert model.bandwidth == math.inf
