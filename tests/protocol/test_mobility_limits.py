"""Peers that make much of ids and paths: what breaks a rule, what is too much, and what never is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ConnectionClosed, ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import RandomIds, SteeredIds, reset_token, worker_of
from fastmux.protocol.routable_ids import RoutableIds
from network import Conditions
from protocol.pairs import Pair, make_pair, transfer

Frame = tuple[object, ...]


def new_id(number: int, retire_before: int = 0, name: bytes | None = None) -> Frame:
    return (c.FRAME_NEW_ID, number, retire_before, name or b"id%06d" % number, bytes(16))


def tell(pair: Pair, *frames: Frame, interval: float = 0.05) -> None:
    """Let the client send frames."""
    for frame in frames:
        pair.connection.data_path.queue_control(0, core.encode_frame(frame))
    pair.connection.touch()
    pair.network.run_for(interval)


def told(pair: Pair) -> int | None:
    """The code with which the server closed, None while it did not."""
    error = pair.server.closed(pair.accepted)
    assert error is None or isinstance(error, ConnectionClosed)
    return None if error is None else error.code


def rounds(pair: Pair, frames: Iterator[Frame], at_once: int, interval: float) -> int:
    """Let the client send frames until the server closes; gives how many it took."""
    for count in range(0, 100_000, at_once):
        if told(pair) is not None:
            return count
        tell(pair, *(next(frames) for _ in range(at_once)), interval=interval)
    raise AssertionError("it was never too much")


# --- what breaks a rule ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (((c.FRAME_RETIRE_ID, 2),), c.PROTOCOL_VIOLATION),
        (((c.FRAME_RETIRE_ID, 2**62 - 1),), c.PROTOCOL_VIOLATION),
        ([new_id(number) for number in range(1, c.ACTIVE_ID_LIMIT + 1)], c.ID_LIMIT_ERROR),
        ((new_id(1), new_id(1, name=b"another-")), c.PROTOCOL_VIOLATION),
        ((new_id(1), new_id(2, name=b"id000001")), c.PROTOCOL_VIOLATION),
        ((new_id(1, name=b"longer-than-it-was"),), c.PROTOCOL_VIOLATION),
    ],
)
def test_a_broken_rule_closes_the_connection_with_its_code(frames: list[Frame], code: int) -> None:
    pair = make_pair().open()
    tell(pair, *frames)
    assert told(pair) == code


@pytest.mark.parametrize(
    "frames",
    [
        [new_id(number) for number in range(1, c.ACTIVE_ID_LIMIT)],
        [new_id(1), new_id(1), new_id(1)],
        [new_id(3), new_id(1), new_id(2)],
        [new_id(5, 5), new_id(2), new_id(6, 6)],
        [(c.FRAME_RETIRE_ID, 1), (c.FRAME_RETIRE_ID, 1)],
        [(c.FRAME_PATH_RESPONSE, b"anything")],
    ],
)
def test_what_a_peer_may_do_is_borne(frames: list[Frame]) -> None:
    pair = make_pair().open()
    tell(pair, *frames)
    assert told(pair) is None
    assert len(pair.accepted.local_ids) == c.ISSUED_IDS


def test_an_id_that_is_in_use_can_be_retired_by_its_owner() -> None:
    pair = make_pair().open()
    mobility = pair.connection._mobility
    assert mobility is not None
    ((kind, number, _, spare, token),) = (core.parse_frames(frame)[0] for frame in mobility._local.supply())
    tell(pair, (kind, number, 1, spare, token))
    sent: list[bytes] = []

    def see(index: int, data: bytes) -> bool:
        sent.append(data[1:9])
        return False

    pair.network.drop = see
    assert transfer(pair, bytes(20_000)) == bytes(20_000)
    assert pair.connection.ids.local not in sent
    assert spare in sent


def test_a_peer_cannot_retire_all_of_its_ids() -> None:
    """A number that this end has retired already comes again, and retires the one in use."""
    pair = make_pair().open()
    tell(pair, new_id(1))
    mobility = pair.accepted._mobility
    assert mobility is not None
    remote = mobility._made_remote()
    assert remote.take() is not None
    remote.retire(1)
    tell(pair, new_id(1, 1))
    assert told(pair) == c.PROTOCOL_VIOLATION


# --- what is too much -------------------------------------------------------------------------------------


def test_a_flood_of_new_ids_that_retire_each_other_is_stopped() -> None:
    pair = make_pair().open()
    count = rounds(pair, (new_id(number, number) for number in range(1, 10**6)), 20, 0.05)
    assert told(pair) in (c.GLITCH_LIMIT, c.ID_LIMIT_ERROR)
    assert count <= c.ID_FRAME_BURST * 1.5


def test_a_flood_of_retired_ids_is_stopped() -> None:
    pair = make_pair(conditions=Conditions(delay=0.0001)).open()
    pair.network.run_for(1.0)
    count = rounds(pair, ((c.FRAME_RETIRE_ID, number) for number in range(1, 10**6)), 1, 0.001)
    assert told(pair) in (c.GLITCH_LIMIT, c.ID_LIMIT_ERROR)
    assert count <= c.ID_FRAME_BURST * 1.5
    pair.network.run_for(10)
    assert pair.server.endpoint._by_id == {}


def test_a_flood_of_challenges_is_stopped() -> None:
    pair = make_pair().open()
    challenges = ((c.FRAME_PATH_CHALLENGE, number.to_bytes(8, "big")) for number in range(10**6))
    count = rounds(pair, challenges, 3, 0.001)
    assert told(pair) == c.GLITCH_LIMIT
    assert count <= c.ID_FRAME_BURST * 1.5


def test_of_many_challenges_at_once_a_few_are_answered() -> None:
    pair = make_pair().open()
    pair.network.run_for(1.0)
    link = pair.network.link(pair.server, pair.client)
    before = link.sent
    tell(pair, *((c.FRAME_PATH_CHALLENGE, number.to_bytes(8, "big")) for number in range(3000)))
    assert told(pair) is None
    assert 3 <= link.sent - before <= 30


def test_ids_that_come_and_go_unacknowledged_are_stopped() -> None:
    pair = make_pair().open()
    mobility = pair.accepted._mobility
    assert mobility is not None
    with pytest.raises(ProtocolError) as caught:
        for number in range(1, 1000):
            mobility.take((new_id(number, number),), mobility.path, pair.network.now)
    assert caught.value.code == c.ID_LIMIT_ERROR
    assert number <= c.MAX_KEPT_CONTROL + 1


def test_who_moves_ten_times_as_often_as_is_usual_is_not_stopped() -> None:
    """A laptop changes its network a few times an hour; this one does so a hundred times in a minute."""
    pair = make_pair().open()
    for _ in range(100):
        via = pair.network.add_local_path(pair.client)
        pair.connection.migrate(via, pair.network.now)
        pair.network.run_for(0.6)
    assert told(pair) is None
    assert pair.connection.statistics().migrations == 100
    assert transfer(pair, bytes(20_000)) == bytes(20_000)
    assert len(pair.server.endpoint._by_id) == c.ISSUED_IDS


def test_probes_from_ever_new_addresses_are_answered_at_a_limited_rate() -> None:
    """An authenticated peer cannot have this end knock at the doors of others at will."""
    pair = make_pair().open()
    buffer = bytearray(1200)
    for number in range(500):
        challenge = core.encode_frame((c.FRAME_PATH_CHALLENGE, number.to_bytes(8, "big")))
        pair.connection.data_path.build_packet(buffer, challenge, 1200, 0, pair.network.now)
        pair.network.inject(bytes(buffer), ("192.0.2.9", number + 1), pair.server)
        pair.network.run_for(0.001)
    assert told(pair) is None
    assert pair.accepted.address == pair.client.address
    strangers = [link for (_, target), link in pair.network._links.items() if target[0] == "192.0.2.9"]
    assert len(strangers) <= c.PATH_BURST + c.PATH_RATE
    assert all(link.sent_size <= 3 * 1200 for link in strangers)


# --- ids of every scheme ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ids", [RandomIds(), RoutableIds(b"\x00\x17", size=12, key=bytes(16))])
def test_spare_ids_are_made_by_the_same_scheme(ids: RandomIds | RoutableIds) -> None:
    steered = SteeredIds(ids, index=2, count=5)
    pair = make_pair(configuration=Configuration(connection_ids=steered)).open()
    for _ in range(5):
        pair.network.run_for(1.0)
        assert len(pair.accepted.local_ids) == c.ISSUED_IDS
        for name in pair.accepted.local_ids:
            assert len(name) == ids.size
            assert worker_of(name, 5) == 2
            if isinstance(ids, RoutableIds):
                assert ids.server_of(name) == b"\x00\x17"
        via = pair.network.add_local_path(pair.client)
        pair.connection.migrate(via, pair.network.now)
    assert transfer(pair, bytes(20_000)) == bytes(20_000)


def test_reset_tokens_follow_from_id_and_key_and_tell_nothing_of_either() -> None:
    key, other_key = bytes(32), bytes(31) + b"\1"
    tokens = {reset_token(each, name) for each in (key, other_key) for name in (b"id000001", b"id000002")}
    assert len(tokens) == 4
    assert all(len(token) == c.RESET_TOKEN_SIZE for token in tokens)
    assert reset_token(key, b"id000001") == reset_token(key, b"id000001")


def test_no_token_is_known_before_the_application_keys() -> None:
    seen: list[bytes] = []

    def see(index: int, data: bytes) -> bool:
        if data[0] & c.FORM_LONG:
            seen.append(data)
        return False

    pair = make_pair(drop=see).open()
    pair.network.run_for(1.0)
    table = pair.accepted._id_table
    tokens = [table.reset_token(name) for name in pair.accepted.local_ids]
    assert seen
    assert not any(token in data for token in tokens for data in seen)
