"""HyStart++ (RFC 9406): leaves slow start when the round trip grows, and only then."""

from __future__ import annotations

from collections.abc import Iterable

from fastmux.protocol.congestion.cubic import Cubic
from fastmux.protocol.congestion.hystart import HyStart
from fastmux.protocol.congestion.new_reno import NewReno
from protocol.congestion.bottleneck import DATAGRAM, Sender, run

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


def test_on_a_path_with_a_long_queue_far_less_is_lost_than_without() -> None:
    with_hystart, without = Sender(Cubic(DATAGRAM)), Sender(NewReno(DATAGRAM))
    for sender in (with_hystart, without):
        run([sender], rate=5e6, delay=0.05, queue_size=500_000, duration=1.5)
    assert without.lost > 500_000
    assert with_hystart.lost < 0.4 * without.lost
    assert with_hystart.delivered >= 0.99 * without.delivered
