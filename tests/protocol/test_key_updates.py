"""When keys are updated, over data paths alone and over connections in the network."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ConnectionClosed, ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.data_space import make_data_path
from fastmux.protocol.handshake import PacketKeys, SecretLog
from fastmux.protocol.key_updates import KeyUpdates
from fastmux.protocol.parameters import parameters_of
from fastmux.protocol.ratchet import next_keys
from fastmux.protocol.rtt import RttEstimator
from fastmux.protocol.traffic import Traffic
from network import Conditions
from protocol.joined import carry, local_id, set_peer
from protocol.pairs import Pair, make_pair, transfer
from protocol.scripted import Script

AES = Script(suite=c.SUITE_AES_128_GCM)
SUITES = [c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM, c.SUITE_CHACHA20_POLY1305]
OFTEN = Configuration(max_datagram_size=1452, key_update_interval=20)
HOSTILE = Conditions(loss=0.1, reordering=0.3, duplication=0.1, damage=0.02, jitter=0.01, rate=1_250_000)
DATA = bytes(range(256)) * 4000


class End:
    """A data path with keys, its counts and its updates."""

    def __init__(
        self,
        is_client: bool,
        suite: int = c.SUITE_AES_128_GCM,
        interval: int = 1 << 22,
        log: SecretLog | None = None,
    ) -> None:
        configuration = Configuration(key_update_interval=interval)
        self.data_path = make_data_path(is_client, local_id(is_client), configuration)
        set_peer(self.data_path, local_id(not is_client), parameters_of(configuration))
        self.traffic = Traffic(self.data_path, RttEstimator(0.1), configuration, bytes)
        self.updates = KeyUpdates(self.data_path, self.traffic, configuration)
        size = c.SUITE_KEY_SIZES[suite]
        mine, theirs = (bytes([number]) * size for number in ((1, 2) if is_client else (2, 1)))
        self.keys = PacketKeys(suite, mine, bytes(12), theirs, bytes(12), mine, theirs, log)
        self.data_path.set_keys(suite, mine, bytes(12), theirs, bytes(12))
        self.updates.install(self.keys)

    def take(self, now: float) -> None:
        """What a batch does about keys."""
        if (c.CONTROL_KEYS_UPDATED, 0) in self.data_path.take_control():
            self.updates.on_updated(now)

    @property
    def count(self) -> int:
        return self.data_path.counters()["key_updates"]


class Ends:
    """A client and a server whose handshake is confirmed, and a packet of each acknowledged."""

    def __init__(
        self,
        suite: int = c.SUITE_AES_128_GCM,
        interval: int = 1 << 22,
        *,
        are_confirmed: bool = True,
        log: SecretLog | None = None,
    ) -> None:
        self.client, self.server = End(True, suite, interval, log), End(False, suite, interval)
        for end in (self.client, self.server):
            if are_confirmed:
                end.updates.on_confirmed()
        self.exchange(1.0)

    def exchange(self, now: float) -> None:
        """A packet each way, and what acknowledges them."""
        for _ in range(3):
            for source, target in ((self.client, self.server), (self.server, self.client)):
                source.data_path.queue_control(0, b"\x01\x01")
                carry(source.data_path, target.data_path, now)
                target.take(now)
                source.data_path.take_ack_summary()


# --- the waits ----------------------------------------------------------------------------------------


def test_an_update_is_due_after_so_many_packets_under_a_key() -> None:
    ends = Ends(interval=100)
    ends.client.traffic.sent_packets = 99
    ends.client.updates.begin_if_due(2.0)
    ends.exchange(2.0)
    assert ends.client.count == 0
    ends.client.traffic.sent_packets = 100
    ends.client.updates.begin_if_due(2.0)
    ends.exchange(2.0)
    assert ends.client.count == ends.server.count == 1
    ends.client.traffic.sent_packets = 199
    ends.client.updates.begin_if_due(20.0)
    ends.exchange(20.0)
    assert ends.client.count == 1
    ends.client.traffic.sent_packets = 200
    ends.client.updates.begin_if_due(20.0)
    ends.exchange(20.0)
    assert ends.client.count == 2


def test_an_update_by_the_peer_starts_the_count_again() -> None:
    ends = Ends(interval=100)
    ends.client.traffic.sent_packets = 90
    assert ends.server.updates.begin(2.0)
    ends.exchange(2.0)
    ends.client.traffic.sent_packets = 189
    ends.client.updates.begin_if_due(20.0)
    ends.exchange(20.0)
    assert ends.client.count == 1
    ends.client.traffic.sent_packets = 190
    ends.client.updates.begin_if_due(20.0)
    ends.exchange(20.0)
    assert ends.client.count == 2


def test_before_the_handshake_is_confirmed_no_update_begins() -> None:
    ends = Ends(are_confirmed=False)
    assert not ends.client.updates.begin(1.0)
    ends.client.traffic.sent_packets = c.AES_GCM_PACKET_LIMIT - 1000
    assert not ends.client.updates.begin(1.0)
    assert ends.server.data_path.update_keys()  # by a peer for which it is confirmed
    ends.exchange(1.0)
    assert ends.client.count == 1
    ends.client.updates.on_confirmed()
    assert not ends.client.updates.begin(1.0)
    assert ends.client.updates.begin(10.0)


def test_the_keys_are_those_of_the_ratchet_each_time() -> None:
    ends = Ends()
    keys = ends.client.keys
    buffer = bytearray(1500)
    for count in range(1, 4):
        assert ends.client.updates.begin(10.0 * count)
        ends.exchange(10.0 * count)
        keys = next_keys(keys)
        size = ends.client.data_path.build_packet(buffer, b"\x01", 0, 0, 10.0 * count)
        packet = bytes(buffer[:size])
        protection = core.PacketProtection(keys.suite, keys.send_key, keys.send_iv)
        number = int.from_bytes(packet[9:13], "big")
        assert protection.open(number, packet[:13], packet[13:]) == b"\x01"


def test_the_next_update_waits_three_pto_after_the_last() -> None:
    ends = Ends()
    assert ends.client.updates.begin(2.0)
    assert not ends.client.updates.begin(2.0)
    ends.exchange(2.0)
    wait = 3 * ends.client.traffic.pto()
    for end in (ends.client, ends.server):
        assert not end.updates.begin(2.0 + wait - 0.001)
    assert ends.server.updates.begin(2.0 + wait)


def test_on_a_short_path_it_waits_a_tenth_of_a_second() -> None:
    ends = Ends()
    for _ in range(50):
        ends.client.traffic.rtt.update(0.0001, 0.0, 0.0, True)
    ends.client.traffic.recovery.max_ack_delay = 0.0
    assert ends.client.updates.begin(2.0)
    ends.exchange(2.0)
    assert 3 * ends.client.traffic.pto() < 0.01
    assert not ends.client.updates.begin(2.0 + c.KEY_UPDATE_GAP - 0.001)
    assert ends.client.updates.begin(2.0 + c.KEY_UPDATE_GAP)


def test_a_key_that_has_nearly_reached_its_limit_does_not_wait() -> None:
    ends = Ends()
    assert ends.client.updates.begin(2.0)
    ends.exchange(2.0)
    ends.client.traffic.sent_packets += c.AES_GCM_PACKET_LIMIT * 3 // 4
    assert ends.client.updates.begin(2.0)


@pytest.mark.parametrize(("suite", "is_limited"), [(1, True), (2, True), (3, False), (0, False)])
def test_a_key_is_used_up_before_its_limit(suite: int, is_limited: bool) -> None:
    end = End(True, suite)
    assert not end.updates.is_exhausted
    end.traffic.sent_packets = c.AES_GCM_PACKET_LIMIT - c.MAX_TRAIN_SEGMENTS
    assert end.updates.is_exhausted is is_limited


def test_a_new_key_is_not_used_up() -> None:
    ends = Ends()
    ends.client.traffic.sent_packets = c.AES_GCM_PACKET_LIMIT - c.MAX_TRAIN_SEGMENTS
    assert ends.client.updates.is_exhausted
    assert ends.client.updates.begin(2.0)
    assert not ends.client.updates.is_exhausted


def test_the_old_keys_are_dropped_after_three_pto() -> None:
    ends = Ends()
    buffer = bytearray(1500)
    late = []
    for number in (1, 2):
        size = ends.client.data_path.build_packet(buffer, b"\x01", 0, number, 2.0)
        late.append(bytes(buffer[:size]))
    assert ends.server.updates.deadline() is None
    ends.client.updates.begin(2.0)
    ends.exchange(2.0)
    drop_at = ends.server.updates.deadline()
    assert drop_at == pytest.approx(2.0 + 3 * ends.server.traffic.pto())
    assert drop_at is not None
    for packet, now in zip(late, (drop_at - 0.001, drop_at), strict=True):
        ends.server.updates.handle_timeout(now)
        ends.server.data_path.receive(packet, 0, len(packet), len(packet), now)
    assert ends.server.data_path.counters()["undecryptable_packets"] == 1
    assert ends.server.updates.deadline() is None


def test_plaintext_has_no_key_update() -> None:
    ends = Ends(c.SUITE_NULL, interval=1)
    ends.client.updates.begin_if_due(2.0)
    assert not ends.client.updates.begin(2.0)
    ends.exchange(2.0)
    assert ends.client.count == 0


# --- how often a peer may -----------------------------------------------------------------------------


def force(ends: Ends, interval: float, count: int) -> None:
    """The client updates every `interval` seconds, whatever an honest one would wait for."""
    for number in range(count):
        now = 2.0 + number * interval
        assert ends.client.data_path.update_keys()
        ends.exchange(now)


def test_a_peer_that_updates_all_the_time_is_stopped_within_seconds() -> None:
    ends = Ends()
    with pytest.raises(ProtocolError) as caught:
        force(ends, 0.001, 1000)
    assert caught.value.code == c.KEY_UPDATE_ERROR
    assert c.KEY_UPDATE_BURST <= ends.server.count < 1.1 * c.KEY_UPDATE_BURST


def test_a_peer_at_ten_times_the_rate_of_a_gigabyte_a_second_never_is() -> None:
    ends = Ends()
    packets_a_second = 10 * 1e9 / c.MAX_PLPMTU
    force(ends, c.KEY_UPDATE_INTERVAL / packets_a_second, 1000)
    assert ends.server.count == 1000


def test_nor_is_one_with_the_smallest_gap_that_we_would_leave() -> None:
    ends = Ends()
    force(ends, c.KEY_UPDATE_GAP, 1000)
    assert ends.server.count == 1000


def test_answers_to_our_own_updates_are_not_held_against_the_peer() -> None:
    ends = Ends()
    ends.client.updates.begin(2.0)
    ends.exchange(2.0)
    for number in range(3 * c.KEY_UPDATE_BURST):
        ends.client.traffic.sent_packets += c.AES_GCM_PACKET_LIMIT * 3 // 4
        assert ends.client.updates.begin(2.0)
        with_new_bucket = KeyUpdates(ends.server.data_path, ends.server.traffic, Configuration())
        ends.server.updates._peer_updates = with_new_bucket._peer_updates
        ends.exchange(2.0)
        assert ends.client.count == number + 2


# --- connections --------------------------------------------------------------------------------------


def keys_updated(pair: Pair) -> tuple[int, int]:
    ends = (pair.connection, pair.accepted)
    one, other = (end.statistics().key_updates for end in ends)
    return one, other


def closed_with(pair: Pair, connection: Connection) -> int:
    node = pair.client if connection is pair.connection else pair.server
    error = node.closed(connection)
    assert isinstance(error, ConnectionClosed)
    return error.code


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("conditions", [None, HOSTILE], ids=["clean", "hostile"])
def test_a_transfer_goes_through_many_updates_of_both_ends(suite: int, conditions: Conditions | None) -> None:
    pair = make_pair(
        seed=suite, conditions=conditions, script=Script(suite=suite), configuration=OFTEN
    ).open()
    for number in range(5):
        data = DATA[number:100_000]
        assert transfer(pair, data, 600.0) == data
        pair.network.run_for(2.0)
    one, other = keys_updated(pair)
    assert abs(one - other) <= 1
    assert min(one, other) >= 4
    if conditions is None:
        assert pair.connection.statistics().undecryptable_packets == 0
        assert pair.accepted.statistics().undecryptable_packets == 0


def test_an_update_loses_no_packet_and_costs_no_time() -> None:
    def seconds(interval: int) -> tuple[float, int, int]:
        fast = Conditions(delay=0.02, rate=5_000_000.0)
        configuration = Configuration(key_update_interval=interval)
        pair = make_pair(conditions=fast, script=AES, configuration=configuration).open()
        start = pair.network.now
        assert transfer(pair, DATA * 4) == DATA * 4
        return pair.network.now - start, pair.network.datagrams, keys_updated(pair)[0]

    without, with_updates = seconds(1 << 22), seconds(50)
    assert without[2] == 0
    assert with_updates[2] > 1
    assert with_updates[:2] == without[:2]


def test_the_user_may_update_keys_at_any_time() -> None:
    pair = make_pair(script=AES).open()
    pair.network.run_for(1.0)
    assert pair.connection.update_keys(pair.network.now)
    assert not pair.connection.update_keys(pair.network.now)
    pair.connection.ping(pair.network.now)
    pair.network.run_for(1.0)
    assert keys_updated(pair) == (1, 1)
    assert not pair.accepted.update_keys(pair.network.now)  # it has sent nothing that was acknowledged
    pair.accepted.ping(pair.network.now)
    pair.network.run_for(1.0)
    assert pair.accepted.update_keys(pair.network.now)
    assert transfer(pair, DATA) == DATA
    assert keys_updated(pair) == (2, 2)
    pair.connection.close(0, "", pair.network.now)
    assert not pair.connection.update_keys(pair.network.now)


def test_a_plaintext_connection_says_that_it_cannot() -> None:
    pair = make_pair(configuration=OFTEN).open()
    assert not pair.connection.update_keys(pair.network.now)
    assert transfer(pair, DATA) == DATA
    assert keys_updated(pair) == (0, 0)


def test_forged_phase_bits_on_the_way_do_no_harm() -> None:
    pair = make_pair(script=AES).open()
    forged = 0

    def forge(index: int, data: bytes) -> bool:
        """Send a copy with another phase bit ahead of every fifth packet."""
        nonlocal forged
        if index % 5 == 0 and not data[0] & c.FORM_LONG:
            forged += 1
            copy = bytearray(data)
            copy[0] ^= c.KEY_PHASE_BIT
            pair.server.receive([bytes(copy)], pair.client.address, pair.network.now)
        return False

    pair.network.drop = forge
    pair.connection.update_keys(pair.network.now)
    assert transfer(pair, DATA) == DATA
    assert forged > 20
    assert keys_updated(pair)[1] <= 1
    assert 0 < pair.accepted.statistics().undecryptable_packets <= forged


def test_replaying_everything_through_updates_does_no_harm() -> None:
    pair = make_pair(script=AES, configuration=OFTEN).open()
    recorded: list[bytes] = []

    def replay(index: int, data: bytes) -> bool:
        if data[1:9] == pair.accepted.ids.local:
            recorded.append(data)
            for again in (recorded[index * 7 % len(recorded)], recorded[0]):
                pair.server.receive([again], pair.client.address, pair.network.now)
        return False

    pair.network.drop = replay
    for _ in range(3):
        assert transfer(pair, DATA) == DATA
        pair.network.run_for(1.0)
    assert keys_updated(pair)[1] > 2
    assert pair.accepted.statistics().duplicate_packets > 100


def test_a_peer_that_never_answers_an_update_is_closed_before_the_key_is_used_up() -> None:
    pair = make_pair(script=AES).open()
    pair.network.run_for(1.0)

    def hide_answers(index: int, data: bytes) -> bool:
        return data[1:9] == pair.connection.ids.local and bool(data[0] & c.KEY_PHASE_BIT)

    pair.network.drop = hide_answers
    assert pair.connection.update_keys(pair.network.now)
    pair.connection.ping(pair.network.now)
    pair.network.run_for(0.1)
    pair.connection._data.traffic.sent_packets += c.AES_GCM_PACKET_LIMIT - 128
    pair.connection.ping(pair.network.now)
    pair.network.run(lambda: pair.accepted.is_closed)
    assert closed_with(pair, pair.accepted) == c.AEAD_LIMIT_REACHED


def test_a_connection_at_the_end_of_a_key_goes_on_with_the_next() -> None:
    pair = make_pair(script=AES).open()
    pair.network.run_for(1.0)
    pair.connection._data.traffic.sent_packets = c.KEY_UPDATE_INTERVAL - 50
    assert transfer(pair, DATA) == DATA
    assert keys_updated(pair) == (1, 1)


def test_a_peer_that_forces_updates_is_told_why_it_is_closed() -> None:
    pair = make_pair(script=AES, conditions=Conditions(delay=0.0005)).open()
    pair.network.run_for(1.0)
    while not pair.connection.is_closed:
        pair.connection._data.data_path.update_keys()
        pair.connection.ping(pair.network.now)
        pair.network.run_for(0.005)
        assert pair.accepted.statistics().key_updates < 2 * c.KEY_UPDATE_BURST
    assert closed_with(pair, pair.connection) == c.KEY_UPDATE_ERROR


def test_a_log_is_told_the_secrets_of_each_phase_once_it_is_in_use() -> None:
    told: list[tuple[int, bytes, bytes]] = []
    ends = Ends(log=lambda count, send, receive: told.append((count, send, receive)))
    expected = ends.client.keys
    for count, now in ((1, 2.0), (2, 20.0)):
        assert len(told) == count - 1
        assert ends.client.updates.begin(now)
        ends.exchange(now)
        expected = next_keys(expected)
        assert told[-1] == (count, expected.send_secret, expected.receive_secret)
    assert len(told) == 2
