"""The glitch bucket: hostile peers meet it, good ones never do."""

from __future__ import annotations

from fastmux.constants import GLITCH_BURST, GLITCH_RATE
from fastmux.protocol.glitches import GlitchLimit


def test_a_burst_is_forgiven_and_one_glitch_more_is_not() -> None:
    limit = GlitchLimit()
    assert not limit.add(GLITCH_BURST, 0.0)
    assert limit.add(1, 0.0)
    assert limit.is_exceeded


def test_one_batch_of_more_than_a_burst_passes_the_limit_at_once() -> None:
    assert GlitchLimit().add(GLITCH_BURST + 1, 0.0)


def test_a_hostile_peer_at_ten_times_the_rate_is_stopped_within_seconds() -> None:
    limit, now = GlitchLimit(), 0.0
    while not limit.add(33, now):
        now += 0.1
    assert now < 1.1 * GLITCH_BURST / (9 * GLITCH_RATE)


def test_a_good_peer_just_below_the_rate_never_meets_the_limit() -> None:
    limit = GlitchLimit()
    assert not any(limit.add(32, float(second)) for second in range(10_000))


def test_silence_refills_the_bucket_but_not_beyond_a_burst() -> None:
    limit = GlitchLimit()
    limit.add(GLITCH_BURST, 0.0)
    assert not limit.add(GLITCH_BURST, 3600.0)
    assert limit.add(1, 3600.0)


def test_once_passed_the_limit_stays_passed() -> None:
    limit = GlitchLimit(burst=1, rate=1.0)
    limit.add(2, 0.0)
    assert limit.add(0, 1000.0)


def test_a_batch_without_glitches_costs_nothing() -> None:
    limit = GlitchLimit(burst=1, rate=0.0)
    assert not any(limit.add(0, float(second)) for second in range(100))
    assert not limit.add(1, 100.0)


def test_spurious_retransmissions_among_useful_packets_are_forgiven_at_any_rate() -> None:
    limit = GlitchLimit()
    assert not any(limit.add(400, batch / 1000, useful_packets=600) for batch in range(10_000))


def test_a_peer_that_sends_mostly_useless_packets_is_stopped() -> None:
    limit = GlitchLimit()
    assert any(limit.add(60, batch / 1000, useful_packets=40) for batch in range(1000))


def test_a_clock_that_goes_back_and_forth_forgives_nothing() -> None:
    limit = GlitchLimit()
    limit.add(GLITCH_BURST, 1000.0)
    limit.add(0, 0.0)
    assert limit.add(1, 1000.0)
