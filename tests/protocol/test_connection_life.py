"""How a connection ends, by either end or by itself, and what is left of it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ClosedResourceError, ConnectionClosed
from fastmux.protocol import data_space
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import ChannelsReady, Closed, Opened
from network import Conditions
from protocol.pairs import Pair, make_pair

DATA = bytes(range(256)) * 240


@pytest.fixture
def pair() -> Pair:
    return make_pair().open()


def error_of(pair: Pair, connection: Connection) -> ConnectionError | None:
    node = pair.client if connection is pair.connection else pair.server
    return node.closed(connection)


def test_a_close_is_heard_by_both_ends_and_leaves_nothing(pair: Pair) -> None:
    pair.connection.close(7, "enough", pair.network.now)
    assert pair.connection.is_closed
    pair.network.run(lambda: pair.accepted.is_closed)
    mine, theirs = error_of(pair, pair.connection), error_of(pair, pair.accepted)
    assert isinstance(mine, ConnectionClosed)
    assert isinstance(theirs, ConnectionClosed)
    assert (mine.code, mine.reason, mine.remote) == (7, "enough", False)
    assert (theirs.code, theirs.reason, theirs.remote) == (7, "enough", True)
    pair.network.run_for(3.0)
    assert pair.server.endpoint.connections == pair.client.endpoint.connections == 0
    assert pair.server.endpoint.deadline() is None
    assert pair.client.endpoint.deadline() is None


def test_closed_is_the_last_event_and_comes_once(pair: Pair) -> None:
    pair.connection.close(1, "", pair.network.now)
    pair.connection.close(2, "", pair.network.now)
    pair.connection.fail(3, "", pair.network.now)
    pair.network.run_for(5.0)
    for node, connection in ((pair.client, pair.connection), (pair.server, pair.accepted)):
        kinds = [type(event) for event in node.events[connection]]
        assert kinds.count(Closed) == 1
        assert kinds[-1] is Closed


def test_a_lost_close_is_sent_again(pair: Pair) -> None:
    pair.network.run_for(1.0)
    link = pair.network.link(pair.client, pair.server)
    link.conditions = Conditions(loss_mask=1 << link.sent)
    pair.connection.close(7, "", pair.network.now)
    pair.network.run(lambda: pair.accepted.is_closed, timeout=1.0)


def test_a_closing_end_answers_what_still_comes_but_ever_less(pair: Pair) -> None:
    pair.network.run_for(1.0)
    channel_id = pair.accepted.data_path.open(c.KIND_STREAM)
    link = pair.network.link(pair.client, pair.server)
    link.conditions = Conditions(loss=1.0)
    before = link.sent
    pair.connection.close(7, "", pair.network.now)
    for _ in range(50):
        pair.accepted.data_path.write(channel_id, b"x")
        pair.accepted.touch()
        pair.network.run_for(0.0005)
    assert 3 <= link.sent - before <= 12


def test_what_arrived_before_the_peer_closed_can_still_be_read(pair: Pair) -> None:
    channel_id = pair.connection.data_path.open(c.KIND_STREAM)
    pair.connection.data_path.write(channel_id, b"last words")
    pair.connection.shutdown(0, "", pair.network.now)
    pair.network.run(lambda: pair.accepted.is_closed)
    pair.network.run_for(30.0)
    assert pair.accepted.data_path.read(channel_id, 100) == b"last words"
    pair.accepted.discard()
    with pytest.raises(ClosedResourceError):
        pair.accepted.data_path.read(channel_id, 100)


def test_a_shutdown_waits_until_everything_is_acknowledged() -> None:
    pair = make_pair(conditions=Conditions(loss=0.2), seed=5).open()
    channel_id = pair.connection.data_path.open(c.KIND_STREAM)
    pair.connection.data_path.write(channel_id, DATA[:60000])
    pair.connection.data_path.finish(channel_id)
    pair.connection.shutdown(0, "done", pair.network.now)
    assert not pair.connection.is_open
    assert not pair.connection.is_closed
    pair.network.run(lambda: pair.connection.is_closed)
    received = b""
    while piece := pair.accepted.data_path.read(channel_id, 65536):
        received += piece
    assert received == DATA[:60000]
    pair.network.run(lambda: pair.accepted.is_closed)


def test_a_server_that_shuts_down_at_once_still_opens_the_client_and_delivers() -> None:
    """HANDSHAKE_DONE is lost; the data behind it arrives and is acknowledged; the close must wait."""
    dropped: list[int] = []

    def drop_the_first_short(index: int, data: bytes) -> bool:
        if not data[0] & c.FORM_LONG and not dropped:
            dropped.append(index)
            return True
        return False

    pair = make_pair(drop=drop_the_first_short)
    pair.network.run(lambda: bool(pair.server.accepted))
    channel_id = pair.accepted.data_path.open(c.KIND_STREAM)
    pair.accepted.data_path.write(channel_id, b"all there is")
    pair.accepted.shutdown(0, "", pair.network.now)
    pair.network.run(lambda: pair.connection.is_closed)
    kinds = [type(event) for event in pair.client.events[pair.connection]]
    assert kinds == [Opened, ChannelsReady, Closed]
    assert pair.connection.data_path.read(channel_id, 100) == b"all there is"


def test_a_shutdown_with_nothing_to_do_closes_at_once(pair: Pair) -> None:
    pair.network.run_for(1.0)
    pair.connection.shutdown(0, "", pair.network.now)
    pair.network.run_for(0.0)
    assert pair.connection.is_closed


def test_a_peer_that_breaks_a_rule_is_told_which(pair: Pair) -> None:
    pair.network.run_for(1.0)
    pair.connection.data_path.queue_control(0, bytes((c.FRAME_HANDSHAKE_DONE,)))
    pair.connection.touch()
    pair.network.run(lambda: pair.connection.is_closed)
    mine, theirs = error_of(pair, pair.connection), error_of(pair, pair.accepted)
    assert isinstance(mine, ConnectionClosed)
    assert isinstance(theirs, ConnectionClosed)
    assert mine.code == theirs.code == c.PROTOCOL_VIOLATION
    assert (mine.remote, theirs.remote) == (True, False)


def test_a_stateless_reset_ends_it_at_once_and_without_a_word(pair: Pair) -> None:
    pair.network.run_for(1.0)
    sent = pair.network.link(pair.client, pair.server).sent
    pair.connection.on_stateless_reset(pair.network.now)
    pair.connection.on_stateless_reset(pair.network.now)
    pair.network.run_for(1.0)
    error = error_of(pair, pair.connection)
    assert isinstance(error, ConnectionClosed)
    assert (error.code, error.remote) == (c.CONNECTION_UNKNOWN, True)
    assert pair.network.link(pair.client, pair.server).sent == sent
    assert pair.client.endpoint.connections == 0


class Exhausted:
    """A data path that finds no memory for the calls in `fails`."""

    fails: ClassVar[set[str]] = set()

    def __init__(self, *arguments: Any, **limits: Any) -> None:
        self._honest = core.DataPath(*arguments, **limits)

    def __getattr__(self, name: str) -> Any:
        if name in self.fails:
            raise MemoryError
        return getattr(self._honest, name)


class ExhaustedCore:
    """Stands for `fastmux.core` where data paths are made."""

    DataPath = Exhausted


@pytest.mark.parametrize("call", ["receive", "fill", "take_ready", "take_ack_summary", "build_packet"])
def test_a_call_that_finds_no_memory_ends_the_connection_and_no_more(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Guards against an exception that leaves the driver without a timer and everybody waiting."""
    with monkeypatch.context() as patch:
        patch.setattr(data_space, "core", ExhaustedCore)
        pair = make_pair().open()
        pair.network.run_for(1.0)
        patch.setattr(Exhausted, "fails", {call})
        for connection in (pair.connection, pair.accepted):
            connection.data_path.open(c.KIND_STREAM, b"", 0)
            connection.touch()
        if call == "build_packet":
            pair.connection.close(7, "", pair.network.now)
        pair.network.run_for(40.0)
        for end in (pair.connection, pair.accepted):
            error = error_of(pair, end)
            assert isinstance(error, ConnectionClosed)
            assert call == "build_packet" or (error.code, error.reason) == (c.INTERNAL, "out of memory")
        assert pair.server.endpoint.connections == pair.client.endpoint.connections == 0


def test_an_abandoned_connection_says_nothing_to_its_peer(pair: Pair) -> None:
    pair.network.run_for(1.0)
    sent = pair.network.link(pair.client, pair.server).sent
    pair.client.endpoint.abandon(ConnectionClosed(c.INTERNAL, "no socket"), pair.network.now)
    pair.network.run_for(1.0)
    assert str(error_of(pair, pair.connection)) == "connection closed by this end (code 0x1): no socket"
    assert pair.network.link(pair.client, pair.server).sent == sent
    assert pair.client.endpoint.connections == 0
    assert not pair.accepted.is_closed
