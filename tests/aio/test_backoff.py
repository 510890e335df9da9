"""The waits between attempts to connect."""

from __future__ import annotations

import itertools
import random

import pytest

from fastmux.aio.backoff import Backoff


def limits(backoff: Backoff, count: int) -> list[float]:
    """The upper ends of the first waits."""
    return list(itertools.islice(backoff.delays(lambda low, high: high), count))


def test_waits_double_up_to_the_maximum() -> None:
    backoff = Backoff(initial=0.5, maximum=5.0)
    assert limits(backoff, 6) == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_wait_is_drawn_from_all_of_its_range() -> None:
    """Full jitter: half of the clients of a server that comes back are there in half of the time."""
    dice = random.Random(1)
    drawn = [next(Backoff(initial=1.0).delays(dice.uniform)) for _ in range(1000)]
    assert min(drawn) < 0.01
    assert max(drawn) > 0.99
    assert sum(drawn) / 1000 == pytest.approx(0.5, abs=0.05)


def test_waits_never_end_and_never_pass_the_maximum() -> None:
    assert limits(Backoff(), 5000)[-1] == 30.0


@pytest.mark.parametrize(
    "times", [{"initial": 0}, {"initial": -1}, {"initial": 40}, {"maximum": 0.1}, {"stable": 0}]
)
def test_times_that_make_no_sense_are_refused(times: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Backoff(**times)
