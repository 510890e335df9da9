"""The numbers that controllers share (RFC 9002 §7)."""

from __future__ import annotations

import pytest

from fastmux.protocol.congestion import base
from fastmux.protocol.rtt import RttEstimator
from protocol.summaries import acked

SIZE = 1200
WINDOW = 100 * SIZE


def is_limited(in_flight: int, *, is_app_limited: bool, in_slow_start: bool) -> bool:
    summary = acked(SIZE, 1.0, in_flight=in_flight, is_app_limited=is_app_limited)
    return base.is_window_limited(summary, WINDOW, SIZE, in_slow_start)


@pytest.mark.parametrize(("size", "window"), [(1200, 12_000), (1452, 14_520), (1500, 14_720), (9000, 18_000)])
def test_the_initial_window_is_ten_datagrams_but_bounded_for_large_ones(size: int, window: int) -> None:
    assert base.initial_window(size) == window


def test_the_minimum_window_is_two_datagrams() -> None:
    assert base.minimum_window(1452) == 2904


def test_the_pace_is_a_quarter_above_the_window_per_round_trip_and_double_in_slow_start() -> None:
    rtt = RttEstimator(0.1)
    assert base.pacing_rate(120_000, rtt, in_slow_start=False) == pytest.approx(1.5e6)
    assert base.pacing_rate(120_000, rtt, in_slow_start=True) == pytest.approx(2.4e6)


@pytest.mark.parametrize("in_slow_start", [False, True])
def test_what_was_not_limited_by_the_application_used_the_window(in_slow_start: bool) -> None:
    assert is_limited(SIZE, is_app_limited=False, in_slow_start=in_slow_start)


@pytest.mark.parametrize("in_slow_start", [False, True])
def test_a_full_window_was_used_whatever_the_application_did(in_slow_start: bool) -> None:
    assert is_limited(WINDOW - 3 * SIZE, is_app_limited=True, in_slow_start=in_slow_start)


def test_in_slow_start_half_a_window_is_a_full_one() -> None:
    assert is_limited(WINDOW // 2, is_app_limited=True, in_slow_start=True)
    assert not is_limited(WINDOW // 2 - 1, is_app_limited=True, in_slow_start=True)
    assert not is_limited(WINDOW // 2, is_app_limited=True, in_slow_start=False)


@pytest.mark.parametrize("in_slow_start", [False, True])
def test_a_window_the_application_left_unused_was_not_tested(in_slow_start: bool) -> None:
    assert not is_limited(WINDOW // 3, is_app_limited=True, in_slow_start=in_slow_start)
