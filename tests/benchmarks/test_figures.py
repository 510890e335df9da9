"""Medians and ratios by round."""

from __future__ import annotations

import pytest

from bench.figures import estimate, paired_ratio


def test_the_estimate_is_the_median_with_an_interval_around_it() -> None:
    found = estimate([10.0, 11.0, 12.0, 13.0, 100.0])
    assert found.median == 12.0
    assert 10.0 <= found.low <= 12.0 <= found.high <= 100.0
    assert found.rounds == 5


def test_equal_rounds_leave_no_doubt() -> None:
    found = estimate([3.0] * 5)
    assert (found.low, found.median, found.high) == (3.0, 3.0, 3.0)


def test_the_interval_is_the_same_for_the_same_figures() -> None:
    assert estimate([1.0, 2.0, 5.0]) == estimate([1.0, 2.0, 5.0])


def test_a_ratio_is_taken_within_rounds_so_that_a_slow_machine_does_not_count() -> None:
    ours = {0: 20.0, 1: 2.0, 2: 200.0}
    theirs = {0: 10.0, 1: 1.0, 2: 100.0}
    found = paired_ratio(ours, theirs)
    assert (found.low, found.median, found.high) == (2.0, 2.0, 2.0)


def test_a_round_that_one_of_both_lacks_is_left_out() -> None:
    found = paired_ratio({0: 4.0, 1: 9.0}, {1: 3.0, 2: 5.0})
    assert (found.median, found.rounds) == (3.0, 1)


def test_no_common_round_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        paired_ratio({0: 1.0}, {1: 1.0})
