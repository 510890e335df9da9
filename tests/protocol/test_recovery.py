"""The PTO back-off and persistent congestion (RFC 9002 §6.2, §7.6), in virtual time."""

from __future__ import annotations

import pytest

from fastmux.constants import MAX_ACK_DELAY, MAX_PTO, MIN_PTO
from fastmux.protocol.recovery import Recovery
from fastmux.protocol.rtt import RttEstimator
from protocol.summaries import NOTHING, acked, lost

PTO = 0.1 + 4 * 0.05 + MAX_ACK_DELAY  # after one sample of 100 ms


def recovery_after_a_sample(rtt: RttEstimator | None = None) -> Recovery:
    recovery = Recovery(rtt or RttEstimator())
    recovery.on_summary(acked(1200, 0.9, rtt=0.1), 1.0)
    return recovery


def test_nothing_in_flight_needs_no_probe() -> None:
    assert Recovery(RttEstimator()).probe_at(None, MAX_ACK_DELAY) is None


def test_the_pto_counts_from_the_newest_ack_eliciting_packet() -> None:
    recovery = recovery_after_a_sample()
    assert recovery.probe_at(2.0, MAX_ACK_DELAY) == pytest.approx(2.0 + PTO)
    assert recovery.probe_at(2.0, 0.0) == pytest.approx(2.0 + PTO - MAX_ACK_DELAY)


def test_before_a_sample_the_pto_is_three_initial_rtts() -> None:
    assert Recovery(RttEstimator(0.333)).probe_at(0.0, 0.0) == pytest.approx(0.999)


def test_each_pto_doubles_the_next_and_asks_for_two_probes() -> None:
    recovery = recovery_after_a_sample()
    now = 2.0
    for exponent in range(4):
        probe_at = recovery.probe_at(now, MAX_ACK_DELAY)
        assert probe_at is not None
        assert probe_at == pytest.approx(now + PTO * 2**exponent)
        now = probe_at
        assert recovery.on_probe_timeout(now) == 2
    assert recovery.pto_count == 4


def test_the_back_off_ends_at_ten_seconds_however_often_it_fires() -> None:
    recovery = recovery_after_a_sample()
    for _ in range(2000):
        recovery.on_probe_timeout(2.0)
    assert recovery.probe_at(2.0, MAX_ACK_DELAY) == 2.0 + MAX_PTO


def test_a_pto_whose_probe_could_not_be_sent_does_not_fire_again_at_once() -> None:
    recovery = recovery_after_a_sample()
    now, fired = 2.0, 0
    while now < 102.0:
        probe_at = recovery.probe_at(2.0, MAX_ACK_DELAY)
        assert probe_at is not None
        assert probe_at > now
        now = probe_at
        recovery.on_probe_timeout(now)
        fired += 1
    assert 10 <= fired <= 17


def test_an_acknowledgement_ends_the_back_off() -> None:
    recovery = recovery_after_a_sample()
    recovery.on_probe_timeout(2.0)
    recovery.on_summary(acked(1200, 2.0), 2.1)
    assert recovery.pto_count == 0


def test_an_acknowledged_mtu_probe_ends_the_back_off_too() -> None:
    recovery = recovery_after_a_sample()
    recovery.on_probe_timeout(2.0)
    recovery.on_summary(NOTHING._replace(latest_rtt=0.1), 2.1)
    assert recovery.pto_count == 0


def test_a_loss_alone_does_not_end_the_back_off() -> None:
    recovery = recovery_after_a_sample()
    recovery.on_probe_timeout(2.0)
    recovery.on_summary(lost(1200, 2.0), 2.1)
    assert recovery.pto_count == 1


def test_the_pto_of_a_very_short_path_without_ack_delay_has_a_floor() -> None:
    recovery = Recovery(RttEstimator())
    for _ in range(50):
        recovery.on_summary(acked(1200, 1.0, rtt=0.0001), 1.0)
    assert recovery.probe_at(1.0, 0.0) == 1.0 + MIN_PTO


def test_a_summary_feeds_the_rtt_with_the_peers_ack_delay() -> None:
    rtt = RttEstimator()
    recovery = recovery_after_a_sample(rtt)
    recovery.handshake_confirmed = True
    recovery.max_ack_delay = 0.05
    recovery.on_summary(acked(1200, 2.0, rtt=0.2, ack_delay=0.07), 2.2)
    assert rtt.smoothed_rtt == pytest.approx(7 / 8 * 0.1 + 0.15 / 8)


def test_losing_all_of_three_ptos_is_persistent_congestion() -> None:
    recovery = recovery_after_a_sample()
    assert recovery.is_persistent_congestion(lost(9000, 5.0, span=3 * PTO + 0.001))
    assert not recovery.is_persistent_congestion(lost(9000, 5.0, span=3 * PTO - 0.001))


def test_a_longer_ack_delay_of_the_peer_makes_persistent_congestion_take_longer() -> None:
    recovery = recovery_after_a_sample()
    recovery.max_ack_delay = 0.1
    assert not recovery.is_persistent_congestion(lost(9000, 5.0, span=3 * PTO + 0.001))


def test_a_summary_without_a_loss_is_no_persistent_congestion() -> None:
    assert not recovery_after_a_sample().is_persistent_congestion(acked(1200, 5.0))


def test_what_was_sent_before_the_first_rtt_sample_proves_no_persistent_congestion() -> None:
    without_sample = Recovery(RttEstimator(0.01))
    assert not without_sample.is_persistent_congestion(lost(9000, 50.0, span=40.0))
    recovery = recovery_after_a_sample()  # at 1.0
    assert not recovery.is_persistent_congestion(lost(9000, 3.0, span=2.1))
    assert recovery.is_persistent_congestion(lost(9000, 3.0, span=1.9))


def test_persistent_congestion_restarts_the_minimum_rtt() -> None:
    rtt = RttEstimator()
    recovery = recovery_after_a_sample(rtt)
    recovery.on_summary(lost(9000, 5.0, span=3.0), 5.5)
    recovery.on_summary(acked(1200, 6.0, rtt=0.4), 6.4)
    assert rtt.min_rtt == 0.4


def test_asking_about_persistent_congestion_changes_nothing() -> None:
    rtt = RttEstimator()
    recovery = recovery_after_a_sample(rtt)
    summary = lost(9000, 5.0, span=3.0)
    assert recovery.is_persistent_congestion(summary)
    assert recovery.is_persistent_congestion(summary)
    recovery.on_summary(acked(1200, 6.0, rtt=0.4), 6.4)
    assert rtt.min_rtt == 0.1


def backed_off() -> tuple[Recovery, float]:
    """After six PTOs of which nothing was heard, and when the last one fired."""
    recovery = recovery_after_a_sample()
    now = 2.0
    for _ in range(6):
        now = recovery.probe_at(now, MAX_ACK_DELAY) or now
        recovery.on_probe_timeout(now)
    return recovery, now


def test_a_peer_that_is_heard_in_the_middle_of_a_long_back_off_is_probed_a_pto_later() -> None:
    """It may wait for what was lost: a reader whose last credit was lost left its writer idle for seconds."""
    recovery, fired_at = backed_off()
    heard_at = fired_at + 1.0
    recovery.on_heard(heard_at)
    assert recovery.probe_at(fired_at, MAX_ACK_DELAY) == pytest.approx(heard_at + PTO)


def test_such_a_probe_leaves_the_back_off_as_it_is() -> None:
    recovery, fired_at = backed_off()
    back_off_ends_at = recovery.probe_at(fired_at, MAX_ACK_DELAY)
    recovery.on_heard(fired_at + 1.0)
    answered_at = recovery.probe_at(fired_at, MAX_ACK_DELAY)
    assert answered_at is not None
    assert recovery.on_probe_timeout(answered_at) == 2
    assert recovery.pto_count == 6
    assert recovery.probe_at(answered_at, MAX_ACK_DELAY) == back_off_ends_at


def test_each_time_that_the_peer_is_heard_is_answered_once() -> None:
    recovery, now = backed_off()
    recovery.on_heard(now + 1.0)
    fired = 0
    stop_at = now + 4.0
    sent_at = now
    while (at := recovery.probe_at(sent_at, MAX_ACK_DELAY)) is not None and at < stop_at:
        recovery.on_probe_timeout(at)
        sent_at = at
        fired += 1
    assert fired == 1
    recovery.on_heard(stop_at)
    at = recovery.probe_at(sent_at, MAX_ACK_DELAY)
    assert at == pytest.approx(stop_at + PTO)


def test_a_peer_that_was_heard_before_the_last_pto_is_not_answered() -> None:
    recovery, fired_at = backed_off()
    recovery.on_heard(fired_at - 0.01)
    assert recovery.probe_at(fired_at, MAX_ACK_DELAY) == pytest.approx(fired_at + min(PTO * 64, MAX_PTO))


@pytest.mark.parametrize("later", [0.01, 1.0, 3600.0])
def test_the_flight_after_an_answered_outage_has_a_pto_of_its_own(later: float) -> None:
    """Guards: its PTO counted from that of the outage, which was over, so it fired at once (§6.2.1)."""
    recovery, now = backed_off()
    recovery.on_heard(now + 1.0)
    answered_at = recovery.probe_at(now, MAX_ACK_DELAY)
    assert answered_at is not None
    recovery.on_probe_timeout(answered_at)
    recovery.on_summary(acked(1200, answered_at), answered_at + 0.1)
    assert recovery.pto_count == 0
    sent_at = answered_at + 0.1 + later
    assert recovery.probe_at(sent_at, MAX_ACK_DELAY) == pytest.approx(sent_at + PTO)
