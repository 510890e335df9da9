"""HyStart++ (RFC 9406): leaves slow start when the round trip grows, and only then."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from fastmux.protocol.congestion.cubic import BETA, Cubic
from fastmux.protocol.congestion.hystart import HyStart
from fastmux.protocol.congestion.new_reno import NewReno
from fastmux.protocol.rtt import RttEstimator
from protocol.congestion.bottleneck import DATAGRAM, Sender, run
from protocol.summaries import acked, lost

ACKED = 1200


def round_trip(hystart: HyStart, number: int, rtts: Iterable[float]) -> list[float]:
    """A round of batches whose packets were sent just after the round began; return the growth of each."""
    sent_at = number + 0.0001  # rounds are a second apart
    return [hystart.growth(ACKED, sent_at, rtt, number + 1 + 0.0001) for rtt in rtts]


def test_while_the_round_trip_is_steady_every_byte_counts() -> None:
    hystart = HyStart()
    for number in range(50):
        assert round_trip(hystart, number, [0.1] * 10) == [ACKED] * 10
    assert not hystart.is_conservative
    assert not hystart.is_over


def test_a_longer_round_trip_slows_growth_down_to_a_quarter() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.1] * 10)
    growth = round_trip(hystart, 1, [0.115] * 10)
    assert growth == [ACKED] * 7 + [ACKED / 4] * 3
    assert hystart.is_conservative


def test_an_increase_below_the_threshold_is_jitter() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.1] * 10)
    assert round_trip(hystart, 1, [0.112] * 10) == [ACKED] * 10


def test_on_a_short_path_the_threshold_is_four_milliseconds() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.0001] * 10)
    round_trip(hystart, 1, [0.004] * 10)
    assert not hystart.is_conservative


def test_seven_samples_decide_nothing() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.1] * 10)
    assert round_trip(hystart, 1, [0.5] * 7) == [ACKED] * 7
    assert not hystart.is_conservative


def test_batches_without_a_sample_decide_nothing() -> None:
    hystart = HyStart()
    assert hystart.growth(ACKED, 0.0, None, 0.1) == ACKED
    assert not hystart.is_conservative


def test_slow_start_is_over_after_five_conservative_rounds() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.1] * 10)
    for number in range(1, 6):
        round_trip(hystart, number, [0.115] * 10)
        assert not hystart.is_over
    round_trip(hystart, 6, [0.115])
    assert hystart.is_over


def test_a_round_trip_that_recovers_resumes_slow_start() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.1] * 10)
    round_trip(hystart, 1, [0.12] * 10)
    assert hystart.is_conservative
    growth = round_trip(hystart, 2, [0.1] * 10)
    assert growth == [ACKED / 4] * 7 + [ACKED] * 3
    assert not hystart.is_conservative


def test_on_a_long_path_the_threshold_is_sixteen_milliseconds() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.4] * 10)
    round_trip(hystart, 1, [0.4159] * 10)
    assert not hystart.is_conservative
    round_trip(hystart, 2, [0.432] * 10)
    assert hystart.is_conservative


def test_the_least_of_a_round_decides_not_its_first_or_last() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.5, 0.1, 0.5] + [0.3] * 7)
    round_trip(hystart, 1, [0.3, 0.101, 0.3] + [0.3] * 7)
    assert not hystart.is_conservative


def test_each_round_is_compared_with_the_one_before() -> None:
    hystart = HyStart()
    for number in range(10):  # each a little longer: no step is over the threshold
        round_trip(hystart, number, [0.1 + 0.01 * number] * 10)
    assert not hystart.is_conservative


def test_a_round_ends_only_with_what_was_sent_after_it_began() -> None:
    hystart = HyStart()
    hystart.growth(ACKED, 0.0, 0.1, 1.0)  # a round begins at 1.0
    for step in range(20):  # all of these were sent before
        hystart.growth(ACKED, 0.5 + step * 0.01, 0.5, 1.1 + step * 0.01)
    assert not hystart.is_conservative  # there is no round before this one to compare with
    hystart.growth(ACKED, 1.0, 0.6, 1.5)
    for _ in range(7):
        hystart.growth(ACKED, 1.2, 0.6, 1.6)
    assert hystart.is_conservative  # 0.1 in the round before


def test_the_round_in_which_conservative_growth_begins_counts_as_one_of_the_five() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.1] * 10)
    round_trip(hystart, 1, [0.12] * 10)  # in the middle of this
    for number in range(2, 6):
        round_trip(hystart, number, [0.12] * 10)
    assert not hystart.is_over
    round_trip(hystart, 6, [0.12])
    assert hystart.is_over


def test_after_slow_start_was_resumed_a_new_increase_has_five_rounds_again() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.1] * 10)
    for number in range(1, 4):
        round_trip(hystart, number, [0.12] * 10)
    round_trip(hystart, 4, [0.1] * 10)
    assert not hystart.is_conservative
    assert round_trip(hystart, 5, [0.1] * 10) == [ACKED] * 10
    for number in range(6, 11):
        round_trip(hystart, number, [0.12] * 10)
        assert hystart.is_conservative
        assert not hystart.is_over
    round_trip(hystart, 11, [0.12])
    assert hystart.is_over


def test_a_round_trip_that_stays_long_does_not_resume_slow_start() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.1] * 10)
    round_trip(hystart, 1, [0.12] * 10)
    assert round_trip(hystart, 2, [0.12] * 10) == [ACKED / 4] * 10
    assert round_trip(hystart, 3, [0.13] * 10) == [ACKED / 4] * 10


def test_in_conservative_growth_seven_samples_resume_nothing() -> None:
    hystart = HyStart()
    round_trip(hystart, 0, [0.1] * 10)
    round_trip(hystart, 1, [0.12] * 10)
    round_trip(hystart, 2, [0.1] * 7)
    assert hystart.is_conservative


class Slowing:
    """CUBIC in slow start, a batch of ten acknowledgements a round of a second."""

    def __init__(self) -> None:
        self.cubic = Cubic(DATAGRAM)
        self.rtt = RttEstimator()
        self.number = 0

    def round(self, rtt: float, batches: int = 10) -> int:
        """Acknowledge `batches` datagrams; return by how many bytes the window grew."""
        before = self.cubic.congestion_window
        self.rtt.update(rtt, 0.0, 0.025, True)
        for _ in range(batches):
            summary = acked(DATAGRAM, self.number + 0.0001, rtt=rtt)
            self.cubic.on_summary(summary, self.rtt, self.number + 1.0001)
        self.number += 1
        return self.cubic.congestion_window - before


def test_the_window_grows_by_a_quarter_and_after_five_rounds_slow_start_is_over() -> None:
    path = Slowing()
    assert path.round(0.1) == 10 * DATAGRAM
    assert path.round(0.12) == 7 * DATAGRAM + 3 * DATAGRAM / 4
    for _ in range(4):
        assert path.round(0.12) == 10 * DATAGRAM / 4
        assert path.cubic.in_slow_start
    path.round(0.12, batches=1)
    assert not path.cubic.in_slow_start
    assert path.cubic.ssthresh == pytest.approx(path.cubic.congestion_window, abs=DATAGRAM)


def test_a_resumed_slow_start_grows_by_every_byte_again() -> None:
    path = Slowing()
    path.round(0.1)
    path.round(0.12)
    path.round(0.1)
    assert path.round(0.1) == 10 * DATAGRAM
    assert path.cubic.in_slow_start


def test_a_loss_in_conservative_growth_ends_slow_start() -> None:
    path = Slowing()
    path.round(0.1)
    path.round(0.12)
    window = path.cubic.congestion_window
    path.cubic.on_summary(lost(DATAGRAM, path.number + 0.5), path.rtt, path.number + 1.0)
    assert path.cubic.congestion_window == int(window * BETA)
    assert not path.cubic.in_slow_start


def test_only_the_first_slow_start_looks_at_the_round_trip() -> None:
    path = Slowing()
    path.cubic.on_summary(acked(200 * DATAGRAM, 0.0), path.rtt, 0.0)
    path.cubic.on_summary(lost(DATAGRAM, 0.5), path.rtt, 0.9)
    path.cubic.on_persistent_congestion(0.9)
    path.number = 1
    path.round(0.1)
    for _ in range(7):
        assert path.round(0.2) == 10 * DATAGRAM
        assert path.cubic.in_slow_start


def test_on_a_path_with_a_long_queue_far_less_is_lost_than_without() -> None:
    with_hystart, without = Sender(Cubic(DATAGRAM)), Sender(NewReno(DATAGRAM))
    for sender in (with_hystart, without):
        run([sender], rate=5e6, delay=0.05, queue_size=500_000, duration=1.5)
    assert without.lost > 500_000
    assert with_hystart.lost < 0.4 * without.lost
    assert with_hystart.delivered >= 0.99 * without.delivered
