"""Challenges on one path: when they go, what answers them, when it is in vain."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.protocol.validation import Validation


def challenge(number: int) -> bytes:
    return number.to_bytes(8, "big")


def sent_times(pto: float) -> list[float]:
    """When challenges go, from 100.0 on, if nobody answers."""
    validation = Validation(pto, 100.0)
    times: list[float] = []
    now = 100.0
    while now < validation.expires_at:
        validation.handle_timeout(now)
        if validation.is_due:
            validation.on_sent(challenge(len(times)), now)
            times.append(now)
        now = validation.deadline()
    return times


def test_the_first_goes_at_once_and_each_next_one_after_twice_as_long() -> None:
    assert sent_times(0.2)[:4] == pytest.approx([100.0, 100.2, 100.6, 101.4])


@pytest.mark.parametrize(("pto", "seconds"), [(0.001, 3.0), (0.5, 3.0), (2.0, 6.0), (10.0, 30.0)])
def test_it_is_in_vain_after_three_ptos_of_this_or_of_a_new_path(pto: float, seconds: float) -> None:
    assert Validation(pto, 100.0).expires_at == pytest.approx(100.0 + seconds, abs=0.01)


def test_on_a_short_path_no_more_than_a_few_go() -> None:
    assert len(sent_times(0.0001)) <= 9


def test_any_of_the_newest_challenges_is_answered_and_no_older_one() -> None:
    validation = Validation(0.1, 100.0)
    for number in range(5):
        validation.on_sent(challenge(number), 100.0 + number)
    answered = [number for number in range(6) if validation.is_answer(challenge(number))]
    assert answered == list(range(5 - c.MAX_PATH_CHALLENGES, 5))


def test_one_that_could_not_go_waits_without_a_timer_of_its_own() -> None:
    """The path may be sent nothing: what comes next is a datagram from there, or the end."""
    validation = Validation(0.1, 100.0)
    assert validation.is_due
    assert validation.deadline() == validation.expires_at
    validation.on_sent(challenge(1), 100.5)
    assert not validation.is_due
    assert validation.deadline() == pytest.approx(100.6)
