"""The RTT estimate against the arithmetic of RFC 9002 §5."""

from __future__ import annotations

import pytest

from fastmux.constants import K_INITIAL_RTT
from fastmux.protocol.rtt import MIN_RTT, RttEstimator


def sampled(*samples: float, ack_delay: float = 0.0) -> RttEstimator:
    rtt = RttEstimator()
    for sample in samples:
        rtt.update(sample, ack_delay, 0.025, True)
    return rtt


def test_before_a_sample_the_initial_rtt_stands_in() -> None:
    rtt = RttEstimator(K_INITIAL_RTT)
    assert not rtt.has_sample
    assert rtt.smoothed_rtt == K_INITIAL_RTT
    assert rtt.rttvar == K_INITIAL_RTT / 2
    assert rtt.pto(0.0) == pytest.approx(3 * K_INITIAL_RTT)


def test_the_first_sample_replaces_the_initial_rtt() -> None:
    rtt = sampled(0.1)
    assert rtt.has_sample
    assert (rtt.latest_rtt, rtt.smoothed_rtt, rtt.rttvar, rtt.min_rtt) == (0.1, 0.1, 0.05, 0.1)


def test_later_samples_are_smoothed_with_the_weights_of_the_rfc() -> None:
    rtt = sampled(0.1, 0.2)
    assert rtt.rttvar == pytest.approx(0.75 * 0.05 + 0.25 * 0.1)
    assert rtt.smoothed_rtt == pytest.approx(7 / 8 * 0.1 + 0.2 / 8)
    assert rtt.min_rtt == 0.1
    assert rtt.latest_rtt == 0.2


def test_the_ack_delay_is_taken_off_a_sample_but_not_off_the_first() -> None:
    rtt = RttEstimator()
    rtt.update(0.1, 0.02, 0.025, True)
    assert rtt.smoothed_rtt == 0.1
    rtt.update(0.2, 0.02, 0.025, True)
    assert rtt.smoothed_rtt == pytest.approx(7 / 8 * 0.1 + 0.18 / 8)
    assert rtt.latest_rtt == 0.2


def test_a_peer_cannot_take_off_more_than_its_own_maximum() -> None:
    liar, honest = sampled(0.1), sampled(0.1)
    liar.update(0.2, 10.0, 0.025, True)
    honest.update(0.2, 0.025, 0.025, True)
    assert liar.smoothed_rtt == honest.smoothed_rtt


def test_before_the_handshake_is_confirmed_a_peer_cannot_take_off_more_than_ours() -> None:
    liar, honest = sampled(0.1), sampled(0.1)
    liar.update(0.2, 10.0, 16.0, False)
    honest.update(0.2, 0.025, 0.025, True)
    assert liar.smoothed_rtt == honest.smoothed_rtt


def test_an_ack_delay_never_takes_a_sample_below_the_minimum() -> None:
    rtt = sampled(0.1)
    rtt.update(0.11, 0.025, 0.025, True)
    assert rtt.smoothed_rtt == pytest.approx(7 / 8 * 0.1 + 0.11 / 8)


@pytest.mark.parametrize("sample", [0.0, -1.0, 1e-9])
def test_a_round_trip_takes_at_least_a_microsecond(sample: float) -> None:
    rtt = sampled(sample, sample)
    assert rtt.latest_rtt == rtt.min_rtt == rtt.smoothed_rtt == MIN_RTT


def test_the_minimum_can_be_restarted_by_the_next_sample() -> None:
    rtt = sampled(0.1, 0.2)
    rtt.restart_min_rtt()
    assert rtt.min_rtt == 0.1
    rtt.update(0.3, 0.0, 0.025, True)
    rtt.update(0.4, 0.0, 0.025, True)
    assert rtt.min_rtt == 0.3


def test_the_pto_is_the_rtt_four_variations_and_the_ack_delay() -> None:
    rtt = sampled(0.1)
    assert rtt.pto(0.025) == pytest.approx(0.1 + 4 * 0.05 + 0.025)


def test_the_pto_allows_a_steady_path_a_millisecond_of_variation() -> None:
    rtt = sampled(*[0.1] * 200)
    assert rtt.pto(0.0) == pytest.approx(0.1 + 0.001)


def test_the_loss_delay_is_nine_eighths_of_the_larger_rtt() -> None:
    assert sampled(0.1).loss_delay == pytest.approx(0.1125)
    assert sampled(0.1, 0.2).loss_delay == pytest.approx(0.225)
    assert sampled(0.2, 0.1).loss_delay == pytest.approx(9 / 8 * 0.1875)


def test_the_loss_delay_is_at_least_a_millisecond() -> None:
    assert sampled(0.0001).loss_delay == 0.001
