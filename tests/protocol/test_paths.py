"""Which path is used, which are tried, and what waits for which."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.protocol.path import Path
from fastmux.protocol.paths import PathLimit, Paths

NOW = 100.0


def path(number: int, *, is_validated: bool = False, via: int = 0) -> Path:
    return Path((f"10.0.0.{number}", 4433), is_validated, via=via)


@pytest.fixture
def paths() -> Paths:
    return Paths(path(0, is_validated=True), NOW)


def test_a_path_is_its_address_and_its_socket(paths: Paths) -> None:
    other = path(0, via=1)
    paths.add(other)
    assert paths.find(("10.0.0.0", 4433), 0) is paths.current
    assert paths.find(("10.0.0.0", 4433), 1) is other
    assert paths.find(("10.0.0.0", 4434), 0) is None
    assert list(paths) == [paths.current, other]


def test_the_oldest_makes_room_but_never_the_current_one_or_the_fallback(paths: Paths) -> None:
    first = paths.current
    made = [path(number) for number in range(1, 8)]
    gone: list[Path] = []
    paths.add(made[0])
    paths.use(made[0])
    assert paths.fallback is first
    for new in made[1:]:
        gone += paths.add(new)
        assert len(list(paths)) <= c.MAX_PATHS
    assert gone == made[1 : 1 + len(gone)]
    assert paths.current is made[0]
    assert first in paths.others


def test_a_proved_path_keeps_the_way_back_open_only_until_the_new_one_is_proved(paths: Paths) -> None:
    first, second, third = paths.current, path(1), path(2, is_validated=True)
    paths.add(second)
    paths.add(third)
    assert paths.use(second) is first
    assert paths.fallback is first
    assert paths.use(third) is second
    assert paths.fallback is first
    assert paths.use(first) is third
    assert paths.fallback is None


def test_moves_to_unproved_paths_are_limited_those_back_are_not(paths: Paths) -> None:
    first, second = paths.current, path(1)
    paths.add(second)
    followed = 0
    for _ in range(100):
        if paths.may_follow(second, NOW):
            paths.use(second)
            followed += 1
            assert paths.may_follow(first, NOW)
            paths.use(first)
    assert followed == c.PATH_BURST
    assert not paths.may_follow(paths.current, NOW)
    second.validate()
    assert paths.may_follow(second, NOW)


def test_after_a_move_in_vain_a_path_must_be_proved_first(paths: Paths) -> None:
    second = path(1)
    paths.add(second)
    paths.distrust(NOW)
    assert not paths.may_follow(second, NOW + c.PATH_DISTRUST - 1)
    assert paths.may_follow(second, NOW + c.PATH_DISTRUST)
    paths.distrust(NOW)
    second.validate()
    assert paths.may_follow(second, NOW + 1)


def test_answers_go_back_where_the_question_came_from_the_newest_few(paths: Paths) -> None:
    second = path(1)
    paths.add(second)
    for number in range(10):
        paths.on_challenge(second, bytes((number,)))
    paths.on_challenge(paths.current, b"x")
    paths.on_challenge(path(9), b"nobody knows this path")
    assert paths.is_due
    assert paths.take_responses(second) == bytes(range(10 - c.MAX_PATH_CHALLENGES, 10))
    assert not paths.has_responses(second)
    assert paths.take_responses(paths.current) == b"x"
    assert paths.take_responses(paths.current) == b""


def test_what_waits_for_a_path_goes_with_it(paths: Paths) -> None:
    second = path(1)
    paths.add(second)
    paths.on_challenge(second, b"x")
    paths.drop(second)
    assert not paths.has_responses(second)
    assert paths.others == []


def test_an_answer_proves_the_path_that_was_asked(paths: Paths) -> None:
    second = path(1)
    paths.add(second)
    paths.begin_validation(second, 0.1, NOW)
    assert second.validation is not None
    second.validation.on_sent(b"12345678", NOW)
    assert paths.on_response(bytes(8)) is None
    assert paths.on_response(b"12345678") is second
    assert second.is_validated
    assert second.validation is None
    assert paths.on_response(b"12345678") is None


def test_a_validation_that_goes_on_is_not_begun_again(paths: Paths) -> None:
    paths.begin_validation(paths.current, 0.1, NOW)
    before = paths.current.validation
    paths.begin_validation(paths.current, 0.1, NOW + 1)
    assert paths.current.validation is before


def test_time_ends_what_does_not_answer_and_what_was_left(paths: Paths) -> None:
    second, third = path(1), path(2)
    paths.add(second)
    paths.add(third)
    assert paths.deadline() is None
    paths.begin_validation(second, 0.1, NOW)
    assert second.validation is not None
    second.validation.on_sent(b"12345678", NOW)
    paths.is_due = False
    third.leaves_at = NOW + 1
    assert paths.deadline() == pytest.approx(NOW + 0.1)
    assert paths.handle_timeout(NOW + 0.1) == ([], [])
    assert paths.is_due
    assert paths.handle_timeout(NOW + 1) == ([], [third])
    paths.drop(third)
    assert paths.handle_timeout(NOW + 5) == ([second], [])
    assert paths.deadline() is None


def test_the_limit_gives_a_burst_and_then_so_many_a_second() -> None:
    limit = PathLimit(NOW)
    assert sum(limit.take(NOW) for _ in range(100)) == c.PATH_BURST
    assert sum(limit.take(NOW + n / 100) for n in range(1001)) == pytest.approx(10 * c.PATH_RATE, abs=1)
    assert sum(limit.take(NOW + 1000) for _ in range(100)) == c.PATH_BURST


def test_a_clock_that_goes_back_takes_no_path_away_and_gives_none() -> None:
    """Guards: sixty seconds back left the limit 120 paths in debt."""
    limit = PathLimit(NOW)
    assert limit.take(NOW)
    assert limit.take(NOW - 60.0)
    while limit.take(NOW):
        pass
    assert not limit.take(NOW - 60.0)
    assert not limit.take(NOW)
