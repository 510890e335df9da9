"""Rounds, the bandwidth filter and the full pipe (draft-ietf-ccwg-bbr-06 §5.3.1.2, §5.5)."""

from __future__ import annotations

from fastmux.protocol.congestion.bbr_bandwidth import FullPipe, MaxBandwidth, Rounds


def test_a_round_is_over_when_something_sent_after_its_start_is_acknowledged() -> None:
    rounds = Rounds()
    starts = []
    for prior, delivered in [(0, 1000), (0, 2000), (999, 3000), (1000, 4000), (3000, 5000), (4000, 6000)]:
        rounds.on_sample(prior, delivered)
        starts.append(rounds.is_start)
    assert starts == [True, False, False, True, False, True]
    assert rounds.count == 3


def test_a_restarted_round_waits_for_what_is_sent_from_then_on() -> None:
    rounds = Rounds()
    rounds.on_sample(0, 1000)
    rounds.restart(5000)
    rounds.on_sample(4999, 6000)
    assert not rounds.is_start
    rounds.on_sample(5000, 7000)
    assert rounds.is_start


def test_the_bandwidth_is_the_highest_rate_of_two_cycles() -> None:
    bandwidth = MaxBandwidth()
    for rate in (5.0, 9.0, 7.0):
        bandwidth.on_sample(rate, False)
    assert bandwidth.value == 9.0
    bandwidth.advance()
    bandwidth.on_sample(6.0, False)
    assert bandwidth.value == 9.0
    bandwidth.advance()
    assert bandwidth.value == 6.0


def test_a_cycle_without_samples_does_not_make_the_bandwidth_forgotten() -> None:
    bandwidth = MaxBandwidth()
    bandwidth.on_sample(9.0, False)
    for _ in range(10):
        bandwidth.advance()
    assert bandwidth.value == 9.0


def test_a_rate_that_the_application_kept_low_counts_only_if_it_is_the_highest() -> None:
    bandwidth = MaxBandwidth()
    bandwidth.on_sample(9.0, False)
    bandwidth.advance()
    bandwidth.on_sample(2.0, True)
    bandwidth.advance()  # nothing was measured in this cycle
    assert bandwidth.value == 9.0
    bandwidth.on_sample(10.0, True)
    assert bandwidth.value == 10.0


def test_three_rounds_without_a_quarter_more_fill_the_pipe() -> None:
    pipe = FullPipe()
    for rate in (100.0, 125.0, 156.25):
        pipe.on_round(rate)
    assert not pipe.was_reached
    pipe.on_round(195.0)
    pipe.on_round(190.0)
    assert not pipe.was_reached
    pipe.on_round(195.0)
    assert pipe.is_full
    assert pipe.was_reached


def test_growth_in_between_starts_the_count_again() -> None:
    pipe = FullPipe()
    for rate in (100.0, 100.0, 100.0, 130.0, 130.0, 130.0):
        pipe.on_round(rate)
    assert not pipe.is_full
    pipe.on_round(130.0)
    assert pipe.is_full


def test_asked_anew_the_pipe_is_not_full_but_was_once() -> None:
    pipe = FullPipe()
    for _ in range(4):
        pipe.on_round(100.0)
    pipe.restart(100.0)
    assert (pipe.is_full, pipe.was_reached) == (False, True)
    for _ in range(3):
        pipe.on_round(100.0)
    assert pipe.is_full
