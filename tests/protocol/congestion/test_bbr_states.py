"""Startup, Drain and ProbeRTT (draft-ietf-ccwg-bbr-06 §5.3.1, §5.3.2, §5.3.4), through the controller."""

from __future__ import annotations

import pytest

from fastmux.protocol.congestion.bbr_cycle import Phase
from fastmux.protocol.congestion.bbr_min_rtt import PROBE_INTERVAL
from fastmux.protocol.congestion.bbr_model import PathModel
from fastmux.protocol.congestion.bbr_states import State, StateMachine
from protocol.congestion.scripted_path import BDP, RATE, RTT, SIZE, ScriptedPath, fixed_bytes, sample


def test_startup_goes_on_while_the_rate_grows() -> None:
    path = ScriptedPath()
    for exponent in range(10, 0, -1):
        path.round(RATE / 2**exponent)
        assert path.is_in(State.STARTUP)


def test_a_rate_that_stays_for_three_rounds_ends_startup() -> None:
    path = ScriptedPath()
    path.rounds(3)
    assert path.is_in(State.STARTUP)
    path.rounds(1, in_flight=2 * BDP)
    assert path.is_in(State.DRAIN)


def test_app_limited_rounds_do_not_end_startup() -> None:
    path = ScriptedPath()
    path.rounds(20, is_app_limited=True)
    assert path.is_in(State.STARTUP)


def test_many_losses_in_a_round_of_startup_end_it_at_what_was_delivered() -> None:
    path = ScriptedPath()
    path.rounds(2, rate=RATE / 2, acks=10)
    path.rounds(2, in_flight=1.5 * BDP, lost_share=0.1, acks=10)
    assert not path.is_in(State.STARTUP)
    assert path.controller.model.inflight_longterm == pytest.approx(BDP, rel=0.2)


def test_few_losses_in_startup_are_noise() -> None:
    below_rate, few_runs = ScriptedPath(), ScriptedPath()
    for exponent in range(6, 0, -1):
        below_rate.round(RATE / 2**exponent, lost_share=0.015, acks=10)
        few_runs.round(RATE / 2**exponent, lost_share=0.1, acks=4)
    assert below_rate.controller.state is State.STARTUP
    assert few_runs.controller.state is State.STARTUP


def test_drain_lasts_until_no_more_than_the_bdp_is_in_flight() -> None:
    path = ScriptedPath()
    path.rounds(4, in_flight=2 * BDP)
    path.rounds(2, in_flight=1.1 * BDP)
    assert path.is_in(State.DRAIN)
    path.round(in_flight=BDP)
    assert path.is_in(State.PROBE_BW)


def test_drain_gives_up_after_three_rounds() -> None:
    path = ScriptedPath()
    path.rounds(4, in_flight=2 * BDP)
    path.rounds(3, in_flight=2 * BDP)
    assert path.is_in(State.DRAIN)
    path.rounds(2, in_flight=2 * BDP)
    assert path.is_in(State.PROBE_BW)


def until_probe_rtt(path: ScriptedPath) -> None:
    """Rounds that a queue makes longer, until the controller wants to know how short they can be."""
    for _ in range(200):
        if path.is_in(State.PROBE_RTT):
            return
        path.round(rtt=1.2 * RTT, in_flight=BDP)
    raise AssertionError("no ProbeRTT")


def test_after_five_seconds_without_a_shorter_round_trip_the_queue_is_drained() -> None:
    path = ScriptedPath()
    path.fill_pipe()
    until_probe_rtt(path)
    first_sample_at = 100.0 + RTT / 4
    assert PROBE_INTERVAL < path.now - first_sample_at < PROBE_INTERVAL + 2 * RTT
    assert path.controller.congestion_window == pytest.approx(BDP / 2, rel=0.01)


def test_a_round_trip_as_short_as_before_does_not_put_it_off_but_a_shorter_one_does() -> None:
    path = ScriptedPath()
    path.fill_pipe()
    for step in range(60):
        path.round(rtt=RTT * (1 - step / 1000), in_flight=BDP / 2)
        assert not path.is_in(State.PROBE_RTT)


def test_probe_rtt_lasts_a_fifth_of_a_second_from_when_the_queue_is_drained() -> None:
    path = ScriptedPath()
    path.fill_pipe()
    window = path.controller.congestion_window
    until_probe_rtt(path)
    path.rounds(5, in_flight=BDP)
    assert path.is_in(State.PROBE_RTT)
    drained_at = path.now
    while path.is_in(State.PROBE_RTT):
        path.round(RATE / 2, in_flight=BDP / 2 - SIZE)
        assert path.now < drained_at + 1
    assert path.now - drained_at >= 0.2
    assert path.controller.states.cycle.is_in(Phase.CRUISE)
    assert path.controller.congestion_window == pytest.approx(window, rel=0.1)


def test_the_next_probe_is_an_interval_after_the_end_of_the_last() -> None:
    path = ScriptedPath()
    path.fill_pipe()
    until_probe_rtt(path)
    path.rounds(12, in_flight=BDP)  # it takes more than a second to drain the queue
    while path.is_in(State.PROBE_RTT):
        path.round(RATE / 2, rtt=1.2 * RTT, in_flight=BDP / 2 - SIZE)
    ended_at = path.now
    until_probe_rtt(path)
    assert path.now - ended_at > PROBE_INTERVAL - 2 * RTT


def test_losses_in_probe_rtt_bound_nothing_after_it() -> None:
    path = ScriptedPath()
    path.fill_pipe()
    until_probe_rtt(path)
    path.rounds(6, RATE / 10, lost_share=0.1, in_flight=BDP)
    assert path.is_in(State.PROBE_RTT)
    assert path.controller.bandwidth < RATE / 2
    while path.is_in(State.PROBE_RTT):
        path.round(RATE / 10, in_flight=SIZE)
    assert path.controller.bandwidth == pytest.approx(RATE)


def test_what_is_sent_in_probe_rtt_does_not_lower_the_bandwidth() -> None:
    path = ScriptedPath()
    path.fill_pipe()
    for _ in range(4):
        until_probe_rtt(path)
        while path.is_in(State.PROBE_RTT):
            path.round(RATE / 10, rtt=1.2 * RTT, in_flight=BDP / 10)
        path.round(RATE / 10, rtt=1.2 * RTT, in_flight=BDP)
    assert path.controller.bandwidth == pytest.approx(RATE, rel=0.01)


def test_from_startup_probe_rtt_returns_to_startup() -> None:
    path = ScriptedPath()
    path.rounds(60, rtt=RTT, is_app_limited=True)
    path.rounds(4, rtt=1.2 * RTT, is_app_limited=True, in_flight=SIZE)
    assert path.controller.state in (State.STARTUP, State.PROBE_RTT)
    for _ in range(30):
        path.round(RATE / 10, is_app_limited=True, in_flight=SIZE)
    assert path.is_in(State.STARTUP)


def test_silence_stands_for_a_probe() -> None:
    path = ScriptedPath()
    path.fill_pipe()
    path.now += 60.0
    path.controller.on_restart(path.now)
    path.round(rtt=1.2 * RTT, acks=1, in_flight=BDP / 2)
    assert path.is_in(State.PROBE_BW)


def test_silence_within_probe_rtt_ends_it_before_anything_is_sent() -> None:
    path = ScriptedPath()
    path.fill_pipe()
    window = path.controller.congestion_window
    until_probe_rtt(path)
    path.round(RATE / 2, in_flight=SIZE, acks=1)
    assert path.is_in(State.PROBE_RTT)
    path.controller.on_restart(path.now + 0.1)
    assert path.is_in(State.PROBE_RTT)
    path.controller.on_restart(path.now + 1.0)
    assert path.is_in(State.PROBE_BW)
    assert path.controller.congestion_window == pytest.approx(window, rel=0.05)


def test_each_state_has_its_gains() -> None:
    model = PathModel(SIZE)
    states = StateMachine(model, fixed_bytes)
    assert (states.pacing_gain, states.window_gain, states.is_probing) == (2.77, 2.0, True)
    states.state = State.DRAIN
    assert (states.pacing_gain, states.window_gain, states.is_probing) == (0.5, 2.0, False)
    states.state = State.PROBE_BW
    states.cycle.is_active = True
    gains = {}
    for phase in Phase:
        states.cycle.phase = phase
        gains[phase] = (states.pacing_gain, states.window_gain, states.is_probing)
    assert gains == {
        Phase.DOWN: (0.9, 2.0, False),
        Phase.CRUISE: (1.0, 2.0, False),
        Phase.REFILL: (1.0, 2.0, True),
        Phase.UP: (1.25, 2.25, True),
    }
    states.cycle.is_active = False
    states.state = State.PROBE_RTT
    assert (states.pacing_gain, states.window_gain, states.is_probing) == (1.0, 0.5, False)


def test_each_state_has_its_cap() -> None:
    model = PathModel(SIZE)
    states = StateMachine(model, fixed_bytes)
    model.inflight_longterm = 100_000
    assert states.volume_cap == float("inf")
    states.state = State.PROBE_BW
    states.cycle.is_active = True
    states.cycle.phase = Phase.UP
    assert states.volume_cap == 100_000
    states.cycle.phase = Phase.CRUISE
    assert states.volume_cap == pytest.approx(85_000)
    model.short_term.inflight = 50_000
    assert states.volume_cap == 50_000
    model.short_term.inflight = 100
    assert states.volume_cap == 4 * SIZE


def test_a_sample_is_seen_as_app_limited_only_if_probe_rtt_sent_it() -> None:
    path = ScriptedPath()
    path.fill_pipe()
    until_probe_rtt(path)
    states, delivered = path.controller.states, path.delivered
    before = sample(delivered=delivered, prior=delivered - BDP)
    during = sample(delivered=delivered + SIZE, prior=delivered)
    after = sample(delivered=delivered + 9 * BDP, prior=delivered + 4 * BDP)
    assert [states.seen(news).is_app_limited for news in (before, during, after)] == [False, True, False]
