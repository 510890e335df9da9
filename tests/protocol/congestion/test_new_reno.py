"""NewReno: additive increase, halving, and what that comes to on a path."""

from __future__ import annotations

import pytest

from fastmux.protocol.congestion.new_reno import NewReno
from fastmux.protocol.rtt import RttEstimator
from protocol.congestion.bottleneck import DATAGRAM, Sender, reductions, run
from protocol.summaries import acked, lost

RTT = RttEstimator(0.1)


def in_avoidance() -> NewReno:
    controller = NewReno(DATAGRAM)
    controller.on_summary(acked(90 * DATAGRAM, 0.5), RTT, 0.6)
    controller.on_summary(lost(DATAGRAM, 1.0), RTT, 1.1)
    return controller


def test_a_loss_halves_the_window() -> None:
    assert in_avoidance().congestion_window == 50 * DATAGRAM


def test_the_window_grows_by_one_datagram_a_window_acknowledged() -> None:
    controller = in_avoidance()
    controller.on_summary(acked(controller.congestion_window, 1.2), RTT, 1.3)
    assert controller.congestion_window == 51 * DATAGRAM
    controller.on_summary(acked(controller.congestion_window, 1.4), RTT, 1.5)
    assert controller.congestion_window == 52 * DATAGRAM


def test_small_batches_grow_the_window_as_one_large_one_does() -> None:
    controller = in_avoidance()
    for _ in range(50):
        controller.on_summary(acked(DATAGRAM, 1.2), RTT, 1.3)
    assert controller.congestion_window == pytest.approx(51 * DATAGRAM, rel=0.001)


def test_on_a_path_with_a_full_queue_the_window_saws_between_one_and_a_half() -> None:
    sender = Sender(NewReno(DATAGRAM))
    run([sender], rate=1.25e6, delay=0.05, queue_size=62_500, duration=30.0)
    falls = reductions(sender.windows[5000:])
    assert len(falls) >= 3
    assert all(0.49 < factor < 0.51 for factor in falls)
    assert sender.delivered > 0.9 * 30.0 * 1.25e6


def test_two_senders_share_a_path() -> None:
    first, second = Sender(NewReno(DATAGRAM)), Sender(NewReno(DATAGRAM))
    run([first, second], rate=1.25e6, delay=0.02, queue_size=40_000, duration=20.0)
    share = first.delivered / (first.delivered + second.delivered)
    assert 0.3 < share < 0.7
