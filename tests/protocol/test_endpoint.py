"""Many connections on one socket: demultiplexing, admission, strays."""

from __future__ import annotations

from random import Random

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import HandshakeError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.handshake_packets import HandshakePackets
from network import Network, Node
from protocol.pairs import make_pair, transfer
from protocol.scripted import SMALL, Script, ScriptedHandshake

STRANGER = ("10.1.2.3", 9)


def server_in(network: Network, configuration: Configuration | None = None) -> Node:
    return network.add("server", configuration, accept=lambda: ScriptedHandshake(False))


def knock(first_id: bytes = b"12345678", source_id: bytes = b"client01", size: int = 1200) -> bytes:
    """A client's first packet."""
    packets = HandshakePackets(
        is_client=True,
        version=c.VERSION_1,
        local_id=source_id,
        remote_id=first_id,
        first_id=first_id,
    )
    handshake = ScriptedHandshake(True)
    handshake.start()
    payload = core.encode_frame((c.FRAME_PARAMETERS, b""))
    payload += core.encode_frame((c.FRAME_HANDSHAKE, 0, handshake.send()))
    return packets.seal(0, payload + bytes(size - packets.overhead - len(payload)))


def server() -> tuple[Network, Node]:
    network = Network()
    return network, server_in(network)


# --- many connections --------------------------------------------------------------------------------


def test_many_clients_share_a_server() -> None:
    network = Network(seed=1)
    node = server_in(network)
    connections: list[Connection] = []
    for n in range(10):
        client = network.add(f"client {n}")
        connections.append(client.endpoint.connect(node.address, ScriptedHandshake(True), network.now))
    network.run(lambda: all(connection.has_opened for connection in connections))
    assert len(node.accepted) == node.endpoint.connections == 10
    assert len({connection.ids.local for connection in node.accepted}) == 10


def test_many_connections_share_one_socket_at_both_ends() -> None:
    network = Network(seed=1)
    node = server_in(network)
    client = network.add("client")
    connections = [
        client.endpoint.connect(node.address, ScriptedHandshake(True), network.now) for _ in range(10)
    ]
    network.run(lambda: all(connection.has_opened for connection in connections))
    for n, connection in enumerate(connections):
        channel_id = connection.data_path.open(c.KIND_STREAM)
        connection.data_path.write(channel_id, bytes((n,)))
        connection.touch()
    network.run_for(1.0)
    assert sorted(end.data_path.read(0, 10) or b"" for end in node.accepted) == [
        bytes((n,)) for n in range(10)
    ]


def test_an_endpoint_may_accept_and_connect_on_one_socket() -> None:
    network = Network()
    nodes = [network.add(name, accept=lambda: ScriptedHandshake(False)) for name in "ab"]
    connections = [
        one.endpoint.connect(other.address, ScriptedHandshake(True), network.now)
        for one, other in (nodes, nodes[::-1])
    ]
    network.run(lambda: all(connection.has_opened for connection in connections))
    assert [len(node.accepted) for node in nodes] == [1, 1]
    assert [node.endpoint.connections for node in nodes] == [2, 2]


def test_a_train_may_mix_connections_and_rubbish() -> None:
    """Datagrams of two connections, a stray, a damaged one and a foreign one come in one buffer."""
    network = Network()
    node, client = server_in(network), network.add("client")
    first, second = (
        client.endpoint.connect(node.address, ScriptedHandshake(True), network.now) for _ in range(2)
    )
    network.run(lambda: len(node.accepted) == 2 and first.has_opened and second.has_opened)
    network.run_for(1.0)
    buffer, trains = bytearray(65536), {}
    for connection in (first, second):
        channel_id = connection.data_path.open(c.KIND_STREAM)
        connection.data_path.write(channel_id, bytes(3000))
        size, segments = connection.data_path.fill(buffer, 1200, 1 << 20, network.now)
        trains[connection] = [bytes(buffer[n * 1200 : (n + 1) * 1200]) for n in range(segments - 1)]
        assert size > 2400
    damaged = bytearray(trains[first][1])
    damaged[700] ^= 1
    stray = b"\x40" + bytes(1199)
    train = [trains[first][0], trains[second][0], stray, bytes(damaged), bytes(1200)]
    train += [trains[first][1], trains[second][1]]
    node.receive(train, client.address, network.now)
    for end in node.accepted:
        assert end.data_path.readable_size(0) > 2200
        assert not end.is_closed
    counters = node.endpoint.counters()
    assert counters["stray"] == 1
    assert counters["foreign"] == 1


def test_a_segment_that_breaks_a_rule_does_not_discard_the_rest() -> None:
    network = Network()
    node, client = server_in(network), network.add("client")
    first, second = (
        client.endpoint.connect(node.address, ScriptedHandshake(True), network.now) for _ in range(2)
    )
    network.run(lambda: len(node.accepted) == 2 and first.has_opened and second.has_opened)
    network.run_for(1.0)
    buffer = bytearray(65536)
    first.data_path.build_packet(buffer, bytes((c.FRAME_HANDSHAKE_DONE,)), 1200, 0, network.now)
    bad = bytes(buffer[:1200])
    channel_id = second.data_path.open(c.KIND_STREAM)
    second.data_path.write(channel_id, bytes(3000))
    second.data_path.fill(buffer, 1200, 1 << 20, network.now)
    good = bytes(buffer[:1200])
    node.receive([bad, good], client.address, network.now)
    closed = [end for end in node.accepted if end.is_closed]
    (lives,) = [end for end in node.accepted if not end.is_closed]
    assert len(closed) == 1
    assert lives.data_path.readable_size(0) > 1000


# --- strays -------------------------------------------------------------------------------------------


def test_nothing_that_comes_makes_it_raise_or_grow() -> None:
    network, node = server()
    random = Random(4)
    good = knock()
    for n in range(3000):
        kind = n % 5
        data = bytearray(random.randbytes(random.randint(1, 1500)))
        if kind == 1:
            data[0] = random.choice((0xC0, 0xF0, 0x40, 0x44))
        elif kind == 2:
            data[:] = good
            data[random.randrange(1200)] ^= random.randint(1, 255)
        elif kind == 3:
            data[:] = good[: random.randrange(1, 1199)]
        elif kind == 4:
            data[:] = bytes(random.randint(1, 3))
        network.inject(bytes(data), STRANGER, node)
    assert node.endpoint.connections <= 1  # a damaged header byte may still be a good knock
    assert node.endpoint.counters()["datagrams_received"] == 3000


def test_an_endpoint_that_only_connects_ignores_knocks() -> None:
    network = Network()
    node = network.add("client")
    network.inject(knock(), STRANGER, node)
    assert node.endpoint.connections == 0
    assert node.endpoint.counters()["stray"] == 1
    assert network.datagrams == 0


@pytest.mark.parametrize(
    ("packet", "counter"),
    [
        (knock(size=1199), "too_short"),
        (knock(first_id=b"1234567"), "stray"),
        (knock(source_id=b"abc"), "malformed"),
        (knock()[:-1] + b"x", "unauthentic"),
        (b"\xc0" + knock()[1:20], "malformed"),
    ],
)
def test_a_knock_that_is_not_as_it_should_be_is_ignored_and_counted(packet: bytes, counter: str) -> None:
    network, node = server()
    network.inject(packet, STRANGER, node)
    assert node.endpoint.counters()[counter] == 1
    assert node.endpoint.connections == 0
    assert network.datagrams == 0


def test_a_good_knock_is_answered_with_no_more_than_three_times_its_size() -> None:
    script = Script(server_size=9000)
    network = Network()
    node = network.add("server", accept=lambda: ScriptedHandshake(False, script))
    network.inject(knock(), STRANGER, node)
    network.run_for(9.0)
    assert node.endpoint.counters()["accepted"] == 1
    link = network._link(node.address, STRANGER)
    assert 0 < link.sent_size <= 3 * 1200
    network.run_for(5.0)
    assert node.endpoint.connections == 0
    assert link.sent_size <= 3 * 1200


def test_the_same_knock_again_makes_no_second_connection() -> None:
    network, node = server()
    for _ in range(3):
        network.inject(knock(), STRANGER, node)
    assert node.endpoint.connections == 1


def test_a_server_may_refuse_whom_it_likes() -> None:
    made: list[ScriptedHandshake] = []

    def accept() -> ScriptedHandshake:
        if made:  # the first tells the version
            raise HandshakeError("not now")
        made.append(ScriptedHandshake(False))
        return made[0]

    network = Network()
    node = network.add("server", accept=accept)
    network.inject(knock(), STRANGER, node)
    assert node.endpoint.connections == 0
    assert node.endpoint.counters()["refused"] == 1
    assert network.datagrams == 0


# --- versions -----------------------------------------------------------------------------------------


def unknown(size: int = 1200, version: int = 0x1A2A3A4A) -> bytes:
    packet = bytearray(knock(size=size))
    packet[1:5] = version.to_bytes(4, "big")
    return bytes(packet)


def test_an_unknown_version_is_answered_with_the_one_served() -> None:
    network, node = server()
    network.inject(unknown(), STRANGER, node)
    assert node.endpoint.connections == 0
    assert network.datagrams == 1
    assert network._link(node.address, STRANGER).largest < 100


@pytest.mark.parametrize("packet", [unknown(size=1199), unknown(version=0)])
def test_some_unknown_versions_are_not_answered(packet: bytes) -> None:
    network, node = server()
    network.inject(packet, STRANGER, node)
    assert network.datagrams == 0


def test_only_so_many_answers_wait() -> None:
    dice = Random(1)
    endpoint = Endpoint(Configuration(), random_bytes=dice.randbytes, accept=lambda: ScriptedHandshake(False))
    packet = unknown()
    for _ in range(500):
        endpoint.receive(bytearray(packet), len(packet), len(packet), STRANGER, 1.0)
    buffer, answers = bytearray(65536), 0
    while (transmit := endpoint.transmit(buffer, 1.0)) is not None:
        assert transmit.address == STRANGER
        answers += 1
    assert answers == c.MAX_ANSWERS


def test_a_version_negotiation_that_does_not_name_our_ids_is_ignored() -> None:
    pair = make_pair()
    forged = b"\xc0" + bytes(4) + bytes((8,)) + pair.connection.ids.local
    forged += bytes((8,)) + b"whatever" + (5).to_bytes(4, "big")
    pair.network.inject(forged, pair.server.address, pair.client)
    assert not pair.connection.is_closed
    pair.open()


# --- limits -------------------------------------------------------------------------------------------


def test_half_open_connections_are_limited_per_address_and_in_all() -> None:
    configuration = Configuration(max_half_open=5, max_half_open_per_address=3, retry="never")
    network = Network()
    node = server_in(network, configuration)
    for n in range(5):
        network.inject(knock(bytes((n,)) * 8), STRANGER, node)
    assert node.endpoint.connections == 3
    for n in range(5):
        network.inject(knock(bytes((100 + n,)) * 8), ("10.1.2.4", n), node)
    assert node.endpoint.connections == 5
    assert node.endpoint.counters()["refused"] == 5


def test_half_open_connections_are_forgotten_after_the_timeout_and_make_room() -> None:
    configuration = Configuration(max_half_open_per_address=3, retry="never")
    network = Network()
    node = server_in(network, configuration)
    for n in range(3):
        network.inject(knock(bytes((n,)) * 8), STRANGER, node)
    network.run_for(20.0)
    assert node.endpoint.connections == 0
    network.inject(knock(), STRANGER, node)
    assert node.endpoint.connections == 1


def test_a_full_endpoint_admits_nobody_until_one_leaves() -> None:
    pair = make_pair(configuration=Configuration(max_connections=1)).open()
    second = pair.client.endpoint.connect(
        pair.server.address, ScriptedHandshake(True, SMALL), pair.network.now
    )
    pair.network.run_for(2.0)
    assert not second.has_opened
    pair.connection.close(0, "", pair.network.now)
    pair.network.run(lambda: second.has_opened)


def test_open_connections_do_not_count_as_half_open() -> None:
    configuration = Configuration(max_half_open_per_address=2, retry="never")
    network = Network()
    node, client = server_in(network, configuration), network.add("client")
    for _ in range(6):
        client.endpoint.connect(node.address, ScriptedHandshake(True), network.now)
        network.run_for(1.0)
    assert len(node.accepted) == node.endpoint.connections == 6


# --- early packets ------------------------------------------------------------------------------------


def test_application_packets_that_come_early_wait_for_the_handshake() -> None:
    """A client that may send at once does; its packets overtake the end of its handshake."""
    held: list[bytes] = []

    def hold_the_last_flight(index: int, data: bytes) -> bool:
        return index < 12 and bool(data[0] & c.FORM_LONG) and pair.connection._data.has_keys

    pair = make_pair()
    pair.network.drop = hold_the_last_flight
    pair.network.run(lambda: pair.connection._data.has_keys)
    data_path = pair.connection.data_path
    channel_id = data_path.open(c.KIND_STREAM)
    data_path.write(channel_id, b"early")
    buffer = bytearray(65536)
    size, _ = data_path.fill(buffer, 1200, 1200, pair.network.now)
    held.append(bytes(buffer[:size]))
    assert not pair.server.accepted
    pair.network.inject(held[0], pair.client.address, pair.server)
    pair.network.run(lambda: bool(pair.server.accepted))
    assert pair.accepted.data_path.read(channel_id, 10) == b"early"


def test_a_transfer_replays_bit_for_bit() -> None:
    digests = []
    for _ in range(2):
        pair = make_pair(seed=11).open()
        assert transfer(pair, bytes(100_000)) == bytes(100_000)
        digests.append(pair.network.trace.digest())
    assert digests[0] == digests[1]
