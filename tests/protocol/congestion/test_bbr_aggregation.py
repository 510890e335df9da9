"""What acknowledgements bring at once beyond the rate (draft-ietf-ccwg-bbr-06 §5.5.9)."""

from __future__ import annotations

import pytest

from fastmux.protocol.congestion.bbr_aggregation import ExtraAcked

BANDWIDTH = 1000.0
WINDOW = 10_000.0


def ack(extra: ExtraAcked, size: int, at: float, round_: int, *, is_startup: bool = False) -> None:
    extra.on_acked(size, BANDWIDTH, WINDOW, at, rounds=round_, is_startup=is_startup)


def test_acknowledgements_at_the_rate_leave_only_their_own_size() -> None:
    extra = ExtraAcked()
    for step in range(1, 101):
        ack(extra, 10, step * 0.01, step // 10)
    assert extra.value == pytest.approx(10, abs=1)


def test_what_comes_at_once_after_silence_counts_beyond_the_first() -> None:
    extra = ExtraAcked()
    ack(extra, 100, 1.0, 1)
    for _ in range(9):
        ack(extra, 100, 1.01, 1)
    assert extra.value == pytest.approx(990)  # 1,000 less what 10 ms are worth


def test_the_most_of_ten_rounds_is_remembered_and_then_forgotten() -> None:
    extra = ExtraAcked()
    ack(extra, 500, 1.0, 1)
    for round_ in range(2, 12):
        ack(extra, 10, float(round_), round_)
        assert extra.value == 500
    ack(extra, 10, 12.0, 12)
    assert extra.value == 10


def test_in_startup_one_round_is_remembered() -> None:
    extra = ExtraAcked()
    ack(extra, 500, 1.0, 1, is_startup=True)
    ack(extra, 10, 2.0, 2, is_startup=True)
    assert extra.value == 500
    ack(extra, 10, 3.0, 3, is_startup=True)
    assert extra.value == 10


def test_it_is_never_more_than_a_window() -> None:
    extra = ExtraAcked()
    ack(extra, 50_000, 1.0, 1)
    assert extra.value == WINDOW


def test_after_silence_the_expectation_starts_anew() -> None:
    extra = ExtraAcked()
    ack(extra, 600, 1.0, 1)
    extra.restart(1.2)
    ack(extra, 500, 1.3, 20)
    assert extra.value == 500  # not 1,100 less 300


def test_before_anything_it_is_nothing() -> None:
    assert ExtraAcked().value == 0.0


def test_ever_so_many_rounds_take_no_memory() -> None:
    extra = ExtraAcked()
    for round_ in range(10_000):
        ack(extra, 10_000 - round_, float(100 * round_), round_)
    assert len(extra._maxima) <= 11
