"""The pace and the window that BBR makes of its model (draft-ietf-ccwg-bbr-06 §5.6)."""

from __future__ import annotations

import pytest

from fastmux.protocol.congestion.bbr import Bbr
from fastmux.protocol.congestion.bbr_cycle import Phase
from fastmux.protocol.congestion.bbr_loss import BETA
from fastmux.protocol.congestion.bbr_states import State
from fastmux.protocol.rtt import RttEstimator
from protocol.congestion.scripted_path import BDP, RATE, RTT, SIZE, ScriptedPath, fixed_bytes
from protocol.summaries import lost

INITIAL = 10 * SIZE


@pytest.fixture
def path() -> ScriptedPath:
    """A path on which Startup and Drain are over."""
    path = ScriptedPath()
    path.fill_pipe()
    return path


def test_the_first_pace_is_an_initial_window_a_round_trip_times_the_startup_gain() -> None:
    rtt = RttEstimator()
    controller = Bbr(SIZE, fixed_bytes)
    assert controller.congestion_window == INITIAL
    assert controller.pacing_rate(rtt) == pytest.approx(2.77 * INITIAL / 0.001)  # nothing is known
    rtt.update(0.05, 0.0, 0.025, True)
    assert controller.pacing_rate(rtt) == pytest.approx(2.77 * INITIAL / 0.05)


def test_in_startup_window_and_pace_double_with_the_rate() -> None:
    path = ScriptedPath()
    path.rounds(3, RATE / 8)
    window = path.controller.congestion_window
    assert path.controller.pacing_rate(path.rtt) == pytest.approx(2.77 * 0.99 * RATE / 8)
    path.rounds(2, RATE / 4)
    assert path.controller.congestion_window >= 1.8 * window
    assert path.controller.pacing_rate(path.rtt) == pytest.approx(2.77 * 0.99 * RATE / 4)


def test_in_startup_a_low_rate_does_not_lower_the_pace() -> None:
    path = ScriptedPath()
    path.round(RATE)
    pace = path.controller.pacing_rate(path.rtt)
    path.rounds(5, RATE / 10, is_app_limited=True)
    assert path.controller.pacing_rate(path.rtt) == pace


def test_after_startup_the_window_is_twice_the_bdp_and_the_pace_just_below_the_rate(
    path: ScriptedPath,
) -> None:
    path.rounds(10)
    assert path.controller.states.cycle.phase is Phase.CRUISE
    extra = path.controller.model.extra_acked.value
    assert path.controller.congestion_window == pytest.approx(2 * BDP + extra, rel=0.01)
    assert path.controller.pacing_rate(path.rtt) == pytest.approx(0.99 * RATE)


def test_the_window_grows_by_no_more_than_was_acknowledged(path: ScriptedPath) -> None:
    path.controller._window = BDP
    path.round(acks=1, acked_size=5000)
    assert path.controller.congestion_window == int(BDP) + 5000


def test_a_random_loss_costs_little_and_a_round_of_loss_no_more_than_three_tenths(
    path: ScriptedPath,
) -> None:
    path.rounds(5)
    before = path.controller.pacing_rate(path.rtt)
    path.rounds(2, 0.995 * RATE, lost_share=0.01)
    assert path.controller.pacing_rate(path.rtt) >= 0.98 * before
    path.rounds(2, RATE / 10, lost_share=0.5, rtt=RTT)
    assert path.controller.pacing_rate(path.rtt) >= 0.98 * BETA**2 * before


def test_lasting_loss_brings_the_pace_down_to_what_is_delivered(path: ScriptedPath) -> None:
    path.rounds(3)
    path.rounds(8, RATE / 3, lost_share=0.3, in_flight=BDP)
    assert path.controller.pacing_rate(path.rtt) == pytest.approx(RATE / 3, rel=0.1)


def test_persistent_congestion_leaves_two_datagrams_and_the_next_round_brings_the_window_back(
    path: ScriptedPath,
) -> None:
    path.rounds(5)
    window = path.controller.congestion_window
    path.controller.on_summary(lost(10 * SIZE, path.now - 1.0), path.rtt, path.now)
    path.controller.on_persistent_congestion(path.now)
    assert path.controller.congestion_window == 2 * SIZE
    at = path.now
    path.round(acks=1, acked_size=SIZE, largest_acked_sent_at=at)  # sent before
    assert path.controller.congestion_window == 3 * SIZE
    path.round(acks=1, acked_size=SIZE, largest_acked_sent_at=at + 0.001)
    assert path.controller.congestion_window >= 0.6 * window
    assert path.controller.bandwidth >= 0.6 * RATE


def test_collapsing_twice_remembers_the_window_from_before_the_first(path: ScriptedPath) -> None:
    path.rounds(5)
    window = path.controller.congestion_window
    path.controller.on_persistent_congestion(path.now)
    path.controller.on_persistent_congestion(path.now + 1)
    path.now += 1
    path.round(acks=1, largest_acked_sent_at=path.now + 0.01)
    assert path.controller.congestion_window >= 0.9 * window


def test_after_silence_the_pace_is_the_rate_of_the_path(path: ScriptedPath) -> None:
    path.round(in_flight=1.5 * BDP)
    while path.controller.states.cycle.phase is not Phase.UP:
        path.round(in_flight=BDP / 2)
    assert path.controller.pacing_rate(path.rtt) == pytest.approx(1.25 * 0.99 * RATE)
    path.controller.on_restart(path.now + 0.5)
    assert path.controller.pacing_rate(path.rtt) == pytest.approx(0.99 * RATE)


def test_silence_is_no_lull_that_acknowledgements_make_up_for(path: ScriptedPath) -> None:
    path.rounds(12)
    path.round(acks=1, rtt=RTT / 10, acked_size=int(BDP))  # much at once
    path.rounds(2, acks=1, rtt=RTT / 10, acked_size=int(BDP))
    path.now += 0.001
    path.controller.on_restart(path.now)
    path.controller.model.extra_acked._maxima.clear()
    path.round(acks=1, rtt=0.001, acked_size=SIZE)
    assert path.controller.model.extra_acked.value == SIZE


def test_an_application_that_sends_little_does_not_lower_the_estimate(path: ScriptedPath) -> None:
    for _ in range(200):
        path.round(RATE / 50, is_app_limited=True, in_flight=SIZE)
    assert path.controller.bandwidth == pytest.approx(RATE)
    assert path.controller.state is not State.STARTUP


def test_a_path_that_became_slower_is_believed_after_two_cycles(path: ScriptedPath) -> None:
    path.rounds(100, RATE / 3, rtt=RTT, in_flight=BDP / 3)
    assert path.controller.bandwidth == pytest.approx(RATE / 3)


def test_a_batch_of_losses_alone_is_taken(path: ScriptedPath) -> None:
    window = path.controller.congestion_window
    path.controller.on_summary(lost(SIZE, path.now), path.rtt, path.now)
    assert 0 < path.controller.congestion_window <= window


def test_a_new_mtu_recalculates_the_initial_window_but_not_one_that_has_moved(path: ScriptedPath) -> None:
    fresh = Bbr(SIZE, fixed_bytes)
    fresh.set_max_datagram_size(1452)
    assert fresh.congestion_window == 14_520
    window = path.controller.congestion_window
    path.controller.set_max_datagram_size(1452)
    assert path.controller.congestion_window == window


def test_a_larger_mtu_leaves_room_for_two_datagrams_in_a_collapsed_window(path: ScriptedPath) -> None:
    """Seed 0xfc403: a window smaller than a datagram, and nothing in flight, was for ever."""
    path.controller.on_persistent_congestion(path.now)
    path.controller.set_max_datagram_size(8952)
    assert path.controller.congestion_window == 2 * 8952


def test_the_window_is_never_below_four_datagrams(path: ScriptedPath) -> None:
    for _ in range(40):
        path.round(SIZE / RTT, lost_share=0.5, in_flight=SIZE, acks=1)
        assert path.controller.congestion_window >= 4 * SIZE
    path.controller.set_max_datagram_size(1452)
    assert path.controller.congestion_window >= 4 * 1452
