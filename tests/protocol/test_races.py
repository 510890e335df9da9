"""Key updates, moves and changes of ids at the same time, with somebody on the way who copies and replays."""

from __future__ import annotations

from random import Random

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.endpoint import Endpoint
from network import Conditions, Node
from protocol.pairs import Pair, make_pair, transfer
from protocol.scripted import Script, ScriptedHandshake

STRANGER = ("203.0.113.9", 9)
AES = Script(suite=c.SUITE_AES_128_GCM)
OFTEN = Configuration(key_update_interval=20)
UNEASY = Conditions(loss=0.05, reordering=0.3, duplication=0.1, jitter=0.01, rate=2_000_000)
DATA = bytes(range(256)) * 800


class Replayer:
    """Records what the client sends; copies old and new arrive from its own and from another address."""

    def __init__(self, pair: Pair, seed: int) -> None:
        self.pair = pair
        self.recorded: list[bytes] = []
        self.stranger_size = 0
        self._random = Random(seed)
        pair.network.drop = self._see

    def _see(self, index: int, data: bytes) -> bool:
        if data[0] & c.FORM_LONG or data[1:9] not in self.pair.accepted.local_ids:
            return False
        self.recorded.append(data)
        random = self._random
        copies = [random.choice(self.recorded) for _ in range(2)]
        if random.random() < 0.1:
            copies.append(data)  # it overtakes the packet itself
        for copy in copies:
            changed = bytearray(copy)
            if random.random() < 0.3:
                changed[0] ^= c.KEY_PHASE_BIT
            source = self.pair.client.address
            if random.random() < 0.5:
                source = STRANGER
                self.stranger_size += len(changed)
            self.pair.server.receive([bytes(changed)], source, self.pair.network.now)
        return False


@pytest.mark.parametrize("seed", range(4))
def test_a_client_that_moves_and_updates_keys_among_copies_of_its_packets_goes_on(seed: int) -> None:
    pair = make_pair(script=AES, configuration=OFTEN, conditions=UNEASY, seed=seed).open()
    replayer = Replayer(pair, seed)
    for _ in range(3):
        via = pair.network.add_local_path(pair.client)
        pair.connection.migrate(via, pair.network.now)
        pair.connection.update_keys(pair.network.now)
        pair.accepted.update_keys(pair.network.now)
        assert transfer(pair, DATA) == DATA
        pair.network.run_for(5.0)
    assert len(replayer.recorded) > 200
    assert pair.network._link(pair.server.address, STRANGER).sent_size <= 3 * replayer.stranger_size
    for end in (pair.connection, pair.accepted):
        assert not end.is_closed
        assert len(end.local_ids) <= c.ISSUED_IDS
    assert pair.accepted.statistics().undecryptable_packets > 0


def test_a_conversation_replayed_to_a_server_that_was_restarted_begins_nothing() -> None:
    """Its first flight may be answered as anybody's is; nothing behind it opens, and no user hears of it."""
    kept = Configuration(reset_key=bytes(range(16)))
    pair = make_pair(script=AES, configuration=kept)
    recorded: list[bytes] = []

    def record(index: int, data: bytes) -> bool:
        if pair.network.link(pair.client, pair.server).sent > len(recorded):
            recorded.append(data)
        return False

    pair.network.drop = record
    pair.open()
    assert transfer(pair, DATA) == DATA
    endpoint = Endpoint(kept, random_bytes=Random(5).randbytes, accept=lambda: ScriptedHandshake(False, AES))
    node = Node("server again", ("10.0.0.99", 4433), endpoint)
    pair.network.nodes[node.address] = node
    sent_size = 0
    for data in recorded:
        pair.network.inject(data, STRANGER, node)
        sent_size += len(data)
    pair.network.run_for(30.0)
    assert not node.accepted
    assert node.endpoint.connections == 0
    assert pair.network._link(node.address, STRANGER).sent_size <= c.AMPLIFICATION_FACTOR * sent_size


def test_the_token_of_the_first_id_may_come_after_the_client_has_left_that_id() -> None:
    """NEW_ID number 0 is late: the client has moved on number 1, and has retired number 0."""
    pair = make_pair(script=AES).open()
    pair.network.run_for(1.0)
    first = pair.accepted.ids.local
    late = core.encode_frame((c.FRAME_NEW_ID, 0, 0, first, pair.server.endpoint.reset_token(first)))
    via = pair.network.add_local_path(pair.client)
    pair.connection.migrate(via, pair.network.now)
    pair.network.run_for(10.0)
    assert first not in pair.accepted.local_ids
    tokens = pair.connection.reset_tokens
    pair.accepted.data_path.queue_control(0, late)
    pair.accepted.touch()
    pair.network.run_for(1.0)
    assert pair.connection.reset_tokens == tokens
    assert transfer(pair, DATA) == DATA


def test_a_retired_id_leads_nowhere_and_its_packets_end_nothing() -> None:
    """Packets under it that come late are strays: the token of the reset is of no use any more."""
    kept = Configuration(reset_key=bytes(range(16)))
    pair = make_pair(script=AES, configuration=kept).open()
    pair.network.run_for(1.0)
    late = bytearray(1200)
    size = pair.connection._data.traffic.build(late, bytes((c.FRAME_PING,)), 1200, 0, pair.network.now)
    via = pair.network.add_local_path(pair.client)
    pair.connection.migrate(via, pair.network.now)
    pair.network.run_for(10.0)
    old_address = pair.client.addresses[0]
    for source in (old_address, pair.client.addresses[1], STRANGER):
        pair.network.inject(bytes(late[:size]), source, pair.server)
    assert pair.server.endpoint.counters()["resets_sent"] == 3
    pair.network.run_for(1.0)
    for end in (pair.connection, pair.accepted):
        assert not end.is_closed
    assert transfer(pair, DATA) == DATA


def test_two_connections_of_one_client_are_reset_one_by_one() -> None:
    kept = Configuration(reset_key=bytes(range(16)))
    pair = make_pair(configuration=kept).open()
    second: Connection = pair.client.endpoint.connect(
        pair.server.address, ScriptedHandshake(True), pair.network.now
    )
    pair.network.run(lambda: second.has_opened and len(pair.server.accepted) == 2)
    pair.network.run_for(1.0)
    endpoint = Endpoint(kept, random_bytes=Random(5).randbytes, accept=lambda: ScriptedHandshake(False))
    pair.network.nodes[pair.server.address] = Node("again", pair.server.address, endpoint)
    second.ping(pair.network.now)
    pair.network.run(lambda: second.is_closed, timeout=1.0)
    assert not pair.connection.is_closed
    pair.connection.ping(pair.network.now)
    pair.network.run(lambda: pair.connection.is_closed, timeout=1.0)
