"""The ids by which this end is addressed."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.local_ids import LocalIds


class Table:
    """Leads ids to a connection; makes them in order."""

    def __init__(self) -> None:
        self.watched: dict[bytes, bytes] = {}
        self.ids = {b"first---": "connection"}
        self.made = 0

    def new_id(self, known: bytes) -> bytes:
        self.made += 1
        made = b"id%06d" % self.made
        self.ids[made] = self.ids[known]
        return made

    def drop_id(self, local_id: bytes) -> None:
        del self.ids[local_id]

    def watch_token(self, token: bytes, known: bytes) -> None:
        self.watched[token] = known

    def forget_token(self, token: bytes) -> None:
        self.watched.pop(token, None)

    def reset_token(self, local_id: bytes) -> bytes:
        return local_id * 2


def new_ids(frames: list[bytes]) -> list[tuple[object, ...]]:
    return [core.parse_frames(frame)[0] for frame in frames]


@pytest.fixture
def table() -> Table:
    return Table()


def test_at_first_there_is_the_one_of_the_handshake(table: Table) -> None:
    ids = LocalIds(b"first---", table)
    assert ids.ids == (b"first---",)
    assert ids.supply() == []


@pytest.mark.parametrize(("peers_limit", "count"), [(2, 2), (4, c.ISSUED_IDS), (2**62 - 1, c.ISSUED_IDS)])
def test_as_many_are_given_as_both_ends_allow(table: Table, peers_limit: int, count: int) -> None:
    ids = LocalIds(b"first---", table)
    ids.allow(peers_limit)
    frames = new_ids(ids.supply())
    assert frames == [
        (c.FRAME_NEW_ID, number, 0, b"id%06d" % number, b"id%06d" % number * 2) for number in range(1, count)
    ]
    assert len(ids.ids) == count
    assert set(ids.ids) == set(table.ids)
    assert ids.supply() == []


def test_one_that_is_retired_is_replaced_and_leads_nowhere(table: Table) -> None:
    ids = LocalIds(b"first---", table)
    ids.allow(4)
    ids.supply()
    (frame,) = new_ids(ids.retire(0))
    assert frame[:2] == (c.FRAME_NEW_ID, 2)
    assert set(table.ids) == set(ids.ids) == {b"id000001", b"id000002"}
    assert ids.retire(0) == []  # again: the frame was repeated


def test_even_when_all_are_retired_there_is_one_that_leads_here(table: Table) -> None:
    ids = LocalIds(b"first---", table)
    ids.allow(2)
    ids.supply()
    for number in range(1000):
        assert len(ids.retire(number)) == 1
        assert table.ids == dict.fromkeys(ids.ids, "connection")
        assert len(ids.ids) == 2


@pytest.mark.parametrize("number", [2, 3, 2**62 - 1])
def test_to_retire_what_was_never_given_is_an_error(table: Table, number: int) -> None:
    ids = LocalIds(b"first---", table)
    ids.allow(2)
    ids.supply()
    with pytest.raises(ProtocolError) as caught:
        ids.retire(number)
    assert caught.value.code == c.PROTOCOL_VIOLATION
    assert len(ids.ids) == 2


def test_the_one_of_the_handshake_is_completed_by_its_token(table: Table) -> None:
    ids = LocalIds(b"first---", table)
    ((kind, number, before, name, token),) = new_ids(ids.complete_first())
    assert (kind, number, before, name) == (c.FRAME_NEW_ID, 0, 0, b"first---")
    assert token == table.reset_token(b"first---")
    assert ids.ids == (b"first---",)
