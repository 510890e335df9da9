"""Connections without a handshake: open from the start, and found by their first authentic packet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from fastmux import constants as c
from fastmux.exceptions import ClosedResourceError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.events import Address, Closed, Opened
from fastmux.protocol.handshake import PacketKeys, PeerIdentity
from fastmux.protocol.keyed import KeyedConnection, Session
from fastmux.protocol.parameters import parameters_of
from fastmux.protocol.surroundings import Ids

CLIENT: Address = ("10.0.0.1", 5001)
SERVER: Address = ("10.0.0.2", 4433)
KEYS = PacketKeys(c.SUITE_AES_128_GCM, b"c" * 16, b"c" * 12, b"s" * 16, b"s" * 12, b"C" * 32, b"S" * 32)
PEER = PeerIdentity(common_name="somebody")
CONFIGURATION = Configuration()


def turned(keys: PacketKeys) -> PacketKeys:
    """The same keys at the other end."""
    return PacketKeys(
        keys.suite,
        keys.receive_key,
        keys.receive_iv,
        keys.send_key,
        keys.send_iv,
        keys.receive_secret,
        keys.send_secret,
    )


@dataclass
class End:
    endpoint: Endpoint
    connection: KeyedConnection

    def take(self, datagrams: list[bytes], source: Address, now: float) -> None:
        for datagram in datagrams:
            self.endpoint.receive(bytearray(datagram), len(datagram), len(datagram), source, now)

    def give(self, now: float) -> tuple[list[bytes], set[Address]]:
        """Everything that it sends now, and where to."""
        buffer = bytearray(65536)
        datagrams, places = [], set()
        while (train := self.connection.transmit(buffer, now)) is not None:
            places.add(train.address)
            for start in range(0, train.size, train.segment_size):
                datagrams.append(bytes(buffer[start : min(start + train.segment_size, train.size)]))
        return datagrams, places


def make(is_client: bool, keys: PacketKeys = KEYS) -> End:
    endpoint = Endpoint(CONFIGURATION, random_bytes=bytes)
    mine, theirs = (b"client-1", b"server-1") if is_client else (b"server-1", b"client-1")
    address = SERVER if is_client else (CLIENT[0], 0)
    session = Session(
        keys if is_client else turned(keys),
        Ids(local=mine, remote=theirs, first=b""),
        parameters_of(CONFIGURATION),
        PEER,
    )
    connection = endpoint.add(lambda around: KeyedConnection(is_client, address, session, around))
    connection.start(0.0)
    return End(endpoint, connection)


def test_both_ends_are_open_at_once_and_know_their_peer() -> None:
    for end in (make(True), make(False)):
        assert end.connection.is_open and end.connection.has_opened
        assert end.connection.next_event() == Opened(PEER)
        assert end.connection.next_event() is None
        assert end.endpoint.connections == 1


def test_a_client_speaks_first_and_the_server_learns_its_port() -> None:
    client, server = make(True), make(False)
    assert server.give(0.0) == ([], set())
    datagrams, places = client.give(0.0)
    assert places == {SERVER} and len(datagrams) == 2  # a PING, and the first look for a larger MTU
    assert not server.connection.is_reached and not server.connection.wants_transmit(0.0)
    server.take(datagrams, CLIENT, 0.1)
    assert server.connection.is_reached
    assert server.connection.address == CLIENT


def test_a_server_may_write_before_and_sends_as_soon_as_it_is_reached() -> None:
    client, server = make(True), make(False)
    channel_id = server.connection.data_path.open(c.KIND_STREAM)
    server.connection.data_path.write(channel_id, b"hello")
    server.connection.touch()
    assert server.give(0.0)[0] == []
    assert server.connection.deadline() is None
    server.take(client.give(0.0)[0], CLIENT, 0.1)
    datagrams, places = server.give(0.1)
    assert places == {CLIENT}
    client.take(datagrams, SERVER, 0.2)
    assert client.connection.data_path.read(channel_id, 100) == b"hello"


def test_what_is_not_sealed_with_the_keys_changes_nothing() -> None:
    stranger, server = make(True, replace(KEYS, send_key=b"x" * 16)), make(False)
    forged = stranger.give(0.0)[0]
    garbage = [bytes([0x40]) + b"server-1" + bytes(60), bytes(30), b"\xc0" + bytes(1200)]
    server.take(forged + garbage, CLIENT, 0.1)
    assert not server.connection.is_reached
    assert server.give(0.1) == ([], set())
    assert server.connection.data_path.counters()["packets_received"] == 0
    server.take(make(True).give(0.0)[0], CLIENT, 0.2)
    assert server.connection.is_reached


def test_a_packet_repeated_from_another_host_gets_no_answer() -> None:
    client, server = make(True), make(False)
    datagrams = client.give(0.0)[0]
    server.take(datagrams, ("203.0.113.9", CLIENT[1]), 0.1)
    assert server.give(0.1) == ([], set())
    server.take(datagrams, CLIENT, 0.2)
    assert server.connection.address == CLIENT


def test_a_first_packet_that_breaks_a_rule_closes_it_and_its_sender_hears_that() -> None:
    client, server = make(True), make(False)
    buffer = bytearray(1200)
    size = client.connection.data_path.build_packet(buffer, bytes((c.FRAME_HANDSHAKE_DONE, 0x3F)), 0, 0, 0.0)
    server.take([bytes(buffer[:size])], CLIENT, 0.1)
    assert server.connection.is_closed
    assert server.give(0.1)[1] == {CLIENT}


def test_an_end_that_nobody_reached_can_be_closed_and_is_forgotten() -> None:
    server = make(False)
    server.connection.close(0, "", 1.0)
    assert server.give(1.0) == ([], set())
    deadline = server.connection.deadline()
    assert deadline is not None
    server.endpoint.handle_timeout(deadline + 100.0)
    server.endpoint.handle_timeout(deadline + 200.0)
    assert server.endpoint.connections == 0


def test_forgetting_says_nothing_and_frees_everything() -> None:
    client = make(True)
    client.connection.data_path.open(c.KIND_STREAM)
    client.connection.forget(1.0)
    client.connection.forget(1.0)
    assert client.connection.is_closed
    assert client.give(1.0) == ([], set())
    with pytest.raises(ClosedResourceError):
        client.connection.data_path.open(c.KIND_STREAM)
    events = iter(client.connection.next_event, None)
    assert isinstance(list(events)[-1], Closed)


def test_a_client_whose_router_gives_it_another_port_is_followed() -> None:
    client, server = make(True), make(False)
    channel_id = client.connection.data_path.open(c.KIND_STREAM)
    elsewhere = (CLIENT[0], 6002)
    now, source = 0.0, CLIENT
    for number in range(8):
        client.connection.data_path.write(channel_id, b"x")
        client.connection.touch()
        for sender, receiver, origin in ((client, server, source), (server, client, SERVER)):
            datagrams, places = sender.give(now)
            receiver.take(datagrams, origin, now)
        now += 0.1
        source = CLIENT if number < 3 else elsewhere
    assert server.connection.address == elsewhere
    assert places == {elsewhere}
    assert server.connection.data_path.read(channel_id, 100) == b"x" * 8


def test_a_second_start_does_nothing() -> None:
    client = make(True)
    client.connection.start(1.0)
    assert client.connection.next_event() == Opened(PEER)
    assert client.connection.next_event() is None
