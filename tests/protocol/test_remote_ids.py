"""The ids by which the peer is addressed."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.exceptions import ProtocolError
from fastmux.protocol.remote_ids import RemoteId, RemoteIds


def remote_id(number: int, name: bytes | None = None) -> RemoteId:
    return RemoteId(number, name or b"id%06d" % number, bytes(15) + bytes((number % 256,)))


@pytest.fixture
def ids() -> RemoteIds:
    return RemoteIds(b"first---")


def refused(ids: RemoteIds, given: RemoteId, retire_before: int = 0) -> int:
    with pytest.raises(ProtocolError) as caught:
        ids.add(given, retire_before)
    return caught.value.code


def test_the_one_of_the_handshake_is_in_use(ids: RemoteIds) -> None:
    assert ids.used == (RemoteId(0, b"first---"),)
    assert not ids.has_spare
    assert ids.take() is None
    assert ids.knows(0)


def test_what_was_given_can_be_taken_once(ids: RemoteIds) -> None:
    assert ids.add(remote_id(1), 0) == []
    assert ids.has_spare
    assert ids.take() == remote_id(1)
    assert ids.take() is None
    assert [used.number for used in ids.used] == [0, 1]


def test_the_same_again_means_nothing(ids: RemoteIds) -> None:
    for _ in range(3):
        assert ids.add(remote_id(1), 0) == []
    assert ids.take() is not None
    assert ids.take() is None
    assert ids.add(remote_id(1), 0) == []
    assert ids.take() is None


@pytest.mark.parametrize(
    "other",
    [
        remote_id(1, b"other---"),
        RemoteId(1, b"id000001", b"another token..."),
        remote_id(2, b"id000001"),
        remote_id(2, b"first---"),
    ],
)
def test_one_that_contradicts_another_is_an_error(ids: RemoteIds, other: RemoteId) -> None:
    ids.add(remote_id(1), 0)
    assert refused(ids, other) == c.PROTOCOL_VIOLATION


def test_one_of_another_length_is_an_error(ids: RemoteIds) -> None:
    assert refused(ids, remote_id(1, b"short")) == c.PROTOCOL_VIOLATION


def test_more_than_were_allowed_are_an_error(ids: RemoteIds) -> None:
    for number in range(1, c.ACTIVE_ID_LIMIT):
        ids.add(remote_id(number), 0)
    ids.take()  # in use they count as well
    assert refused(ids, remote_id(c.ACTIVE_ID_LIMIT)) == c.ID_LIMIT_ERROR


def test_those_before_retire_prior_to_are_retired_used_ones_too(ids: RemoteIds) -> None:
    ids.add(remote_id(1), 0)
    ids.add(remote_id(2), 0)
    assert ids.add(remote_id(3), 2) == [0, 1]
    assert ids.used == ()
    assert ids.take() == remote_id(2)
    assert ids.take() == remote_id(3)


def test_one_that_comes_late_and_is_retired_already_is_told_to_be_so_once(ids: RemoteIds) -> None:
    assert ids.add(remote_id(3), 3) == [0]
    assert ids.add(remote_id(2), 0) == [2]
    assert ids.add(remote_id(2), 0) == []
    assert ids.take() == remote_id(3)


def test_a_lower_retire_prior_to_changes_nothing(ids: RemoteIds) -> None:
    ids.add(remote_id(3), 3)
    assert ids.add(remote_id(4), 1) == []


def test_what_this_end_retired_is_not_taken_for_new(ids: RemoteIds) -> None:
    ids.add(remote_id(1), 0)
    ids.take()
    ids.retire(1)
    assert ids.add(remote_id(1), 0) == []
    assert ids.take() is None
    assert [used.number for used in ids.used] == [0]


def test_ten_thousand_moves_hold_no_more_than_one(ids: RemoteIds) -> None:
    for number in range(1, 10_000):
        assert ids.add(remote_id(number), 0) == []
        assert ids.take() == remote_id(number)
        ids.retire(number - 1)
    assert len(ids.used) == 1


def test_who_leaves_numbers_out_again_and_again_is_stopped(ids: RemoteIds) -> None:
    with pytest.raises(ProtocolError) as caught:
        for number in range(2, 1000, 2):
            ids.add(remote_id(number), number)
    assert caught.value.code == c.PROTOCOL_VIOLATION
    assert number <= 2 * (c.MAX_ID_GAPS + 1)


def test_the_one_of_the_handshake_gets_its_token_later_and_once(ids: RemoteIds) -> None:
    assert not ids.tokens
    for _ in range(2):
        assert ids.add(RemoteId(0, b"first---", bytes(16)), 0) == []
    assert ids.used == (RemoteId(0, b"first---", bytes(16)),)
    assert ids.tokens == (bytes(16),)
    assert refused(ids, RemoteId(0, b"first---", bytes(15) + b"x")) == c.PROTOCOL_VIOLATION
    assert refused(ids, RemoteId(0, b"other---", bytes(16))) == c.PROTOCOL_VIOLATION


def test_a_token_for_the_one_of_the_handshake_that_comes_after_its_end_means_nothing(ids: RemoteIds) -> None:
    ids.add(remote_id(1), 1)
    assert ids.add(RemoteId(0, b"first---", bytes(16)), 0) == []
    assert not ids.tokens
    assert ids.take() == remote_id(1)
    assert ids.tokens == (remote_id(1).token,)
    ids.retire(1)
    assert not ids.tokens
