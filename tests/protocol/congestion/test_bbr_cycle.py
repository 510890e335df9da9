"""Probing for bandwidth (draft-ietf-ccwg-bbr-06 §5.3.3): the phases, when they change, what a probe finds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from fastmux.protocol.congestion.bbr_cycle import Phase, ProbeCycle
from fastmux.protocol.congestion.bbr_loss import BETA
from fastmux.protocol.congestion.bbr_model import PathModel
from protocol.congestion.scripted_path import BDP, RATE, RTT, SIZE, fixed_bytes, sample
from protocol.summaries import NOTHING

WINDOW = 4 * BDP  # never full, unless a test makes it so


class Cycling:
    """A cycle on a model of a path of RATE and RTT; an acknowledgement a round, but for `share`."""

    def __init__(self, random_bytes: Callable[[int], bytes] = fixed_bytes) -> None:
        self.model = PathModel(SIZE)
        self.cycle = ProbeCycle(self.model, random_bytes)
        self.now = 100.0
        self.delivered = BDP
        self.window = WINDOW
        self.model.min_rtt.on_sample(RTT, self.now)
        self.model.max_bandwidth.on_sample(RATE, False)
        self.model.bound_bandwidth()
        self.model.full_pipe.was_reached = True
        self.cycle.start_down(self.now)

    def ack(
        self,
        *,
        in_flight: float = BDP,
        rate: float = RATE,
        seconds: float = RTT,
        share: float = 1.0,
        **how: Any,
    ) -> None:
        """The acknowledgement of what was sent a round before, or of a share of it."""
        self.now += share * seconds
        self.delivered += share * BDP
        news = sample(
            delivered=self.delivered,
            prior=self.delivered - BDP,
            rate=rate,
            size=share * BDP,
            in_flight=in_flight,
            tx_in_flight=in_flight,
            rtt=RTT,
        )._replace(**how)
        self.model.on_sample(news, self.window, False, self.now)
        self.cycle.on_sample(news, self.window, self.now)
        self.model.settle(news)

    def is_in(self, phase: Phase) -> bool:
        return self.cycle.phase is phase

    def lose_too_much(self, at: float = 1.2 * BDP, *, is_app_limited: bool = False) -> None:
        summary = NOTHING._replace(
            lost_packets=5,
            lost_runs=1,
            delivered=int(self.delivered),
            inflight_at_excess=at,
            is_excess_app_limited=is_app_limited,
        )
        self.model.on_loss(summary)
        self.cycle.on_loss(summary, self.window, self.now)

    def go_to(self, phase: Phase, rate: float = RATE) -> None:
        for _ in range(100):
            if self.cycle.phase is phase:
                return
            self.ack(rate=rate, in_flight=0.9 * BDP)
        raise AssertionError(f"{phase} does not come")

    def go_up(self) -> None:
        self.go_to(Phase.UP)
        self.ack(in_flight=1.2 * BDP, rate=RATE)  # its samples come in


def test_down_lasts_until_the_queue_is_drained() -> None:
    path = Cycling()
    path.ack(in_flight=1.5 * BDP)
    assert path.is_in(Phase.DOWN)
    path.ack(in_flight=BDP)
    assert path.is_in(Phase.CRUISE)


def test_down_leaves_headroom_below_the_long_term_volume() -> None:
    path = Cycling()
    path.model.inflight_longterm = BDP
    path.ack(in_flight=0.9 * BDP)
    assert path.is_in(Phase.DOWN)
    path.model.inflight_longterm = BDP
    path.ack(in_flight=0.84 * BDP)
    assert path.is_in(Phase.CRUISE)


def test_cruise_ends_after_two_to_three_seconds() -> None:
    path = Cycling()  # the dice say 2.5
    while path.now < 102.45:
        path.ack()
        assert path.cycle.phase in (Phase.DOWN, Phase.CRUISE)
    path.ack(seconds=0.11)
    assert path.is_in(Phase.REFILL)


@pytest.mark.parametrize(("dice", "wait"), [(b"\0\0\0", 2.0), (b"\0\x40\0", 2.25), (b"\0\xff\xff", 3.0)])
def test_how_long_is_drawn(dice: bytes, wait: float) -> None:
    path = Cycling(lambda size: dice[:size])
    path.go_to(Phase.REFILL)
    assert path.now - 100.0 == pytest.approx(wait + RTT / 2, abs=RTT)


def test_on_a_short_path_it_ends_when_reno_would_be_back() -> None:
    path = Cycling()
    rounds = 0
    while not path.is_in(Phase.REFILL):
        path.ack(seconds=0.001)
        rounds += 1
    assert rounds == 63


def test_with_a_small_window_reno_would_be_back_sooner() -> None:
    path = Cycling()
    path.window = 20 * SIZE
    rounds = 0
    while not path.is_in(Phase.REFILL):
        path.ack(in_flight=10 * SIZE, seconds=0.001)
        rounds += 1
    assert rounds == 20


def test_refill_forgets_the_short_term_and_lasts_one_round() -> None:
    path = Cycling()
    path.go_to(Phase.CRUISE)
    path.model.short_term.bandwidth = RATE / 2
    path.model.short_term.inflight = BDP / 2
    path.go_to(Phase.REFILL)
    assert path.model.short_term.bandwidth == math.inf
    assert path.model.short_term.inflight == math.inf
    path.ack()
    assert path.is_in(Phase.UP)


def test_up_ends_when_three_rounds_bring_no_more() -> None:
    path = Cycling()
    path.go_to(Phase.UP)
    for _ in range(2):
        path.ack(in_flight=1.25 * BDP)
        assert path.is_in(Phase.UP)
    path.ack(in_flight=1.25 * BDP)
    assert path.is_in(Phase.DOWN)
    assert path.model.inflight_longterm == math.inf


def test_up_goes_on_while_there_is_more() -> None:
    path = Cycling()
    path.go_to(Phase.UP)
    rate = RATE
    for _ in range(10):
        rate *= 1.26
        path.ack(rate=rate)
        assert path.is_in(Phase.UP)


def test_too_much_loss_ends_the_probe_and_sets_the_long_term_volume() -> None:
    path = Cycling()
    path.go_up()
    path.lose_too_much(at=1.2 * BDP)
    assert path.is_in(Phase.DOWN)
    assert path.model.inflight_longterm == pytest.approx(1.2 * BDP)


def test_the_volume_is_not_reduced_by_more_than_cubic_would() -> None:
    path = Cycling()
    path.go_up()
    path.lose_too_much(at=0.1 * BDP)
    assert path.model.inflight_longterm == pytest.approx(BETA * BDP)


def test_a_probe_is_answered_once() -> None:
    path = Cycling()
    path.go_up()
    path.lose_too_much(at=1.2 * BDP)
    path.lose_too_much(at=0.8 * BDP)
    assert path.model.inflight_longterm == pytest.approx(1.2 * BDP)


def test_losses_that_come_late_are_still_the_probes_but_not_after_a_round() -> None:
    late, too_late = Cycling(), Cycling()
    for path in (late, too_late):
        path.go_to(Phase.UP)
        while path.is_in(Phase.UP):
            path.ack(in_flight=1.25 * BDP)
    late.lose_too_much(at=1.2 * BDP)
    assert late.model.inflight_longterm == pytest.approx(1.2 * BDP)
    too_late.ack(in_flight=1.1 * BDP)
    too_late.lose_too_much(at=1.2 * BDP)
    assert too_late.model.inflight_longterm == math.inf


def test_loss_while_cruising_sets_no_long_term_volume() -> None:
    path = Cycling()
    path.go_to(Phase.CRUISE)
    path.lose_too_much()
    assert path.is_in(Phase.CRUISE)
    assert path.model.inflight_longterm == math.inf


def test_a_probe_that_the_application_limited_ends_but_says_nothing_of_the_volume() -> None:
    path = Cycling()
    path.go_up()
    path.lose_too_much(is_app_limited=True)
    assert path.is_in(Phase.DOWN)
    assert path.model.inflight_longterm == math.inf


def test_after_too_much_loss_the_next_probe_stops_at_the_volume_then_a_whole_one_follows() -> None:
    path = Cycling()
    path.go_up()
    path.lose_too_much(at=1.2 * BDP)
    path.go_to(Phase.UP)
    path.ack(in_flight=1.1 * BDP)
    assert path.is_in(Phase.UP)
    path.ack(in_flight=1.2 * BDP)
    assert path.is_in(Phase.DOWN)  # it was cautious
    path.ack(in_flight=BDP)
    assert path.is_in(Phase.REFILL)  # nothing was lost: no cruise in between
    path.ack()
    assert path.is_in(Phase.UP)
    path.ack(in_flight=1.3 * BDP)
    assert path.is_in(Phase.UP)  # and this one stays


def test_if_the_cautious_probe_loses_too_much_the_cycle_cruises() -> None:
    path = Cycling()
    path.go_up()
    path.lose_too_much(at=1.2 * BDP)
    path.go_to(Phase.UP)
    path.ack(in_flight=1.2 * BDP)
    assert path.is_in(Phase.DOWN)
    path.lose_too_much(at=1.1 * BDP)
    path.ack(in_flight=0.9 * BDP)
    assert path.is_in(Phase.CRUISE)


def test_the_volume_rises_in_a_probe_by_more_each_round_while_it_limits() -> None:
    path = Cycling()
    path.go_to(Phase.REFILL)
    path.model.inflight_longterm = 1.5 * BDP
    path.window = 1.5 * BDP
    path.ack(in_flight=0.45 * BDP)
    assert path.is_in(Phase.UP)
    steps = []
    for _ in range(5):
        before = path.model.inflight_longterm
        for _ in range(10):
            path.ack(in_flight=path.window - BDP / 10, share=0.1)  # full when the acknowledgement came
            path.window = path.model.inflight_longterm
        steps.append((path.model.inflight_longterm - before) / SIZE)
    assert path.is_in(Phase.UP)
    assert steps == sorted(steps)
    assert steps[-1] >= 8 > steps[0]


def test_the_volume_does_not_rise_while_the_window_is_not_full() -> None:
    path = Cycling()
    path.go_to(Phase.REFILL)
    path.model.inflight_longterm = 1.5 * BDP
    for _ in range(3):
        path.ack(in_flight=0.2 * BDP)
    assert path.model.inflight_longterm == 1.5 * BDP


def test_more_in_flight_than_the_volume_without_loss_raises_it() -> None:
    path = Cycling()
    path.model.inflight_longterm = BDP
    path.ack(in_flight=1.1 * BDP)
    assert path.model.inflight_longterm == pytest.approx(1.1 * BDP)
    path.ack(in_flight=1.3 * BDP, lost_since_sent=int(0.1 * BDP))
    assert path.model.inflight_longterm == pytest.approx(1.1 * BDP)


def test_a_round_after_the_probe_the_bandwidth_filter_moves_on() -> None:
    path = Cycling()
    for _ in range(2):
        path.go_to(Phase.UP, rate=RATE / 2)
        while path.is_in(Phase.UP):
            path.ack(rate=RATE / 2, in_flight=1.25 * BDP)
        path.ack(rate=RATE / 2, in_flight=BDP / 2)
    path.ack(rate=RATE / 2)
    assert path.model.max_bandwidth.value == RATE / 2


def test_an_app_limited_probe_does_not_move_the_filter() -> None:
    path = Cycling()
    for _ in range(100):
        path.ack(rate=RATE / 10, is_app_limited=True, in_flight=BDP / 10)
    assert path.model.max_bandwidth.value == RATE


def test_nor_does_a_probe_that_runs_out_of_data_after_slow_samples() -> None:
    path = Cycling()
    for _ in range(3):
        path.go_to(Phase.UP, rate=RATE / 4)
        path.lose_too_much(is_app_limited=True)
        assert path.is_in(Phase.DOWN)
        path.ack(rate=RATE / 10, is_app_limited=True, in_flight=BDP / 10)
    assert path.model.max_bandwidth.value == RATE


def test_each_probe_starts_to_raise_the_volume_slowly_again() -> None:
    path = Cycling()
    firsts = []
    for _ in range(2):
        path.go_to(Phase.REFILL)
        path.model.inflight_longterm = path.window = 1.5 * BDP
        path.go_to(Phase.UP)
        for _ in range(60):  # six rounds
            before = path.model.inflight_longterm
            path.ack(in_flight=path.window - BDP / 10, share=0.1)
            path.window = path.model.inflight_longterm
            firsts.append((path.model.inflight_longterm - before) / SIZE)
        path.window = WINDOW
    assert sum(firsts[:20]) == sum(firsts[60:80]) < 6
    assert sum(firsts[40:60]) > 10


def test_stopped_the_cycle_stays_where_it_is() -> None:
    path = Cycling()
    path.go_to(Phase.CRUISE)
    path.cycle.stop()
    for _ in range(50):
        path.ack()
    assert path.is_in(Phase.CRUISE)
    assert not path.cycle.is_in(Phase.CRUISE)
