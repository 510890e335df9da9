"""The anti-amplification account and path validation (RFC 9000 §8)."""

from __future__ import annotations

import pytest

from fastmux.constants import MAX_PATH_CHALLENGES
from fastmux.protocol.path import Path

ADDRESS = ("127.0.0.1", 4433)


def challenge(number: int) -> bytes:
    return number.to_bytes(8, "big")


def test_nothing_may_be_sent_to_an_address_that_sent_nothing() -> None:
    assert Path(ADDRESS, is_validated=False).send_limit == 0


def test_three_times_what_came_may_be_sent_before_validation() -> None:
    path = Path(ADDRESS, is_validated=False)
    path.on_received(1200)
    assert path.send_limit == 3600
    path.on_sent(1200)
    path.on_sent(1200)
    assert path.send_limit == 1200
    path.on_sent(1200)
    assert path.send_limit == 0
    path.on_received(41)
    assert path.send_limit == 123


def test_what_was_sent_too_much_never_makes_the_limit_negative() -> None:
    path = Path(ADDRESS, is_validated=False)
    path.on_sent(1200)
    assert path.send_limit == 0


def test_a_validated_path_has_no_limit() -> None:
    path = Path(ADDRESS, is_validated=True)
    path.on_sent(10**9)
    assert path.send_limit is None


def test_the_right_response_validates_the_path() -> None:
    path = Path(ADDRESS, is_validated=False)
    path.challenge(challenge(1))
    assert not path.on_response(challenge(2))
    assert not path.is_validated
    assert path.on_response(challenge(1))
    assert path.is_validated
    assert path.send_limit is None


def test_a_response_without_a_challenge_validates_nothing() -> None:
    path = Path(ADDRESS, is_validated=False)
    assert not path.on_response(bytes(8))
    assert not path.on_response(b"")
    assert not path.is_validated


def test_any_of_the_newest_challenges_may_be_answered_and_no_older_one() -> None:
    for number in range(10):
        path = Path(ADDRESS, is_validated=False)
        for sent in range(10):
            path.challenge(challenge(sent))
        assert path.on_response(challenge(number)) == (number >= 10 - MAX_PATH_CHALLENGES)


def test_a_response_counts_once() -> None:
    path = Path(ADDRESS, is_validated=False)
    path.challenge(challenge(1))
    assert path.on_response(challenge(1))
    assert not path.on_response(challenge(1))


@pytest.mark.parametrize("size", [0, 7, 9])
def test_a_challenge_has_eight_bytes(size: int) -> None:
    path = Path(ADDRESS, is_validated=False)
    with pytest.raises(ValueError, match="8 bytes"):
        path.challenge(bytes(size))
    assert not path.on_response(bytes(size))


def test_an_address_that_proved_itself_otherwise_is_validated() -> None:
    path = Path(ADDRESS, is_validated=False)
    path.validate()
    assert path.send_limit is None
