"""Idle timeout and keep-alive (RFC 9000 §10.1), in virtual time."""

from __future__ import annotations

import pytest

from fastmux.protocol.idle import IdleTimer


def timer(
    timeout: float | None = 30.0,
    keep_alive: float | None = None,
    peer_timeout: float | None = None,
) -> IdleTimer:
    idle = IdleTimer(timeout, keep_alive)
    idle.set_peer_timeout(peer_timeout)
    idle.on_received(100.0)
    return idle


def test_nothing_is_due_before_anything_was_sent_or_received() -> None:
    idle = IdleTimer(30.0, 15.0)
    assert idle.deadline is None
    assert idle.keep_alive_at is None


def test_a_connection_times_out_after_silence() -> None:
    assert timer().deadline == 130.0


@pytest.mark.parametrize(
    ("ours", "theirs", "effective"),
    [(30.0, 10.0, 10.0), (10.0, 30.0, 10.0), (None, 10.0, 10.0), (10.0, 0.0, 10.0)],
)
def test_the_smaller_timeout_of_both_ends_counts(ours: float | None, theirs: float, effective: float) -> None:
    assert timer(ours, None, theirs).deadline == 100.0 + effective


def test_without_a_timeout_on_either_end_nothing_fires() -> None:
    idle = timer(None, None, 0.0)
    assert idle.timeout is None
    assert idle.deadline is None


def test_a_timeout_leaves_room_for_three_probes() -> None:
    idle = timer(1.0)
    idle.pto = 0.8
    assert idle.timeout == pytest.approx(2.4)
    assert idle.deadline == pytest.approx(102.4)


def test_receiving_restarts_the_timer() -> None:
    idle = timer()
    idle.on_received(120.0)
    assert idle.deadline == 150.0


def test_without_keep_alives_the_first_packet_sent_after_receiving_restarts_the_timer() -> None:
    idle = timer()
    idle.on_sent_eliciting(110.0)
    idle.on_sent_eliciting(125.0)
    assert idle.deadline == 140.0
    idle.on_received(126.0)
    idle.on_sent_eliciting(127.0)
    assert idle.deadline == 157.0


def test_with_keep_alives_nothing_that_is_sent_restarts_the_timer() -> None:
    """Guards against a dead peer that is noticed after one and a half timeouts."""
    idle = timer(30.0, 15.0)
    idle.on_sent_eliciting(114.0)
    idle.on_sent_eliciting(129.0)
    assert idle.deadline == 130.0


def test_the_probes_of_the_first_packet_sent_get_their_time() -> None:
    """A timeout of three PTO alone, half over when a PING goes, would leave room for no second one."""
    idle = timer(1.0, 15.0)
    idle.pto = 0.8
    at = idle.keep_alive_at
    assert at == pytest.approx(101.2)
    idle.on_sent_eliciting(101.2)
    idle.on_sent_eliciting(102.0)
    assert idle.deadline == pytest.approx(101.2 + 3 * 0.8)


def test_a_client_that_only_sends_times_out_too() -> None:
    idle = IdleTimer(30.0, None)
    idle.on_sent_eliciting(1.0)
    assert idle.deadline == 31.0


def test_without_a_keep_alive_no_ping_is_due() -> None:
    assert timer().keep_alive_at is None


def test_a_ping_is_due_after_a_time_without_traffic_either_way() -> None:
    idle = timer(30.0, 12.0)
    assert idle.keep_alive_at == 112.0
    idle.on_sent_eliciting(105.0)
    assert idle.keep_alive_at == 117.0
    idle.on_received(106.0)
    assert idle.keep_alive_at == 118.0


def test_a_ping_comes_in_time_for_the_peers_shorter_timeout() -> None:
    assert timer(30.0, 25.0, 10.0).keep_alive_at == 105.0


def test_a_keep_alive_works_without_a_timeout() -> None:
    assert timer(None, 15.0).keep_alive_at == 115.0


def test_pings_that_are_answered_keep_a_silent_connection_for_a_day() -> None:
    idle, now = timer(30.0, 15.0), 100.0
    while now < 86_400.0:
        keep_alive_at, deadline = idle.keep_alive_at, idle.deadline
        assert keep_alive_at is not None
        assert deadline is not None
        assert now < keep_alive_at < deadline
        now = keep_alive_at
        idle.on_sent_eliciting(now)
        idle.on_received(now + 0.1)


def test_pings_that_nobody_answers_do_not_hold_off_the_timeout() -> None:
    idle = timer(30.0, 15.0)
    for _ in range(10):
        keep_alive_at = idle.keep_alive_at
        assert keep_alive_at is not None
        idle.on_sent_eliciting(keep_alive_at)
    assert idle.deadline == 130.0
