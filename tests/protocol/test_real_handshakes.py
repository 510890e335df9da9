"""The handshakes that users get, TLS and PLAINTEXT, over the network in memory: what comes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastmux.exceptions import AuthenticationError, HandshakeError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.security.certificates import issue_client, issue_server, make_ca
from fastmux.security.config import PLAINTEXT, PlaintextConfig, TLSConfig
from network import Conditions, Network
from protocol.pairs import Pair, transfer
from security.support import HOST, World

Config = TLSConfig | PlaintextConfig
DATA = bytes(range(256)) * 200
HOSTILE = Conditions(loss=0.2, reordering=0.3, duplication=0.2, damage=0.05, jitter=0.01)
PATIENT = Configuration(handshake_timeout=60.0)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.make(tmp_path)


def pair_of(
    client: Config,
    server: Config,
    *,
    seed: int = 0,
    hostile: bool = False,
    configuration: Configuration = PATIENT,
) -> Pair:
    network = Network(seed, HOSTILE if hostile else None)
    node = network.add("server", configuration, accept=lambda: server.create_handshake(False))
    end = network.add("client", configuration)
    handshake = client.create_handshake(True, HOST)
    connection = end.endpoint.connect(node.address, handshake, network.now)
    return Pair(network, node, end, connection)


def errors(pair: Pair) -> tuple[ConnectionError | None, ConnectionError | None]:
    """Run until both ends are over; what the client and the server say."""
    pair.network.run(lambda: pair.connection.is_closed and pair.server.endpoint.connections == 0)
    ends: list[Connection] = list(pair.server.events)
    return pair.client.closed(pair.connection), pair.server.closed(ends[0]) if ends else None


@pytest.mark.parametrize("hostile", [False, True], ids=["clean", "hostile"])
def test_tls_connects_and_proves_both_ends(world: World, hostile: bool) -> None:
    client, server = world.client(), world.server()
    for seed in range(3):
        pair = pair_of(client, server, seed=seed, hostile=hostile).open()
        assert pair.connection.peer is not None
        assert pair.connection.peer.common_name == "server"
        assert pair.connection.peer.dns_names == (HOST,)
        assert pair.accepted.peer is not None
        assert pair.accepted.peer.common_name == "laptop"
        assert transfer(pair, DATA) == DATA


@pytest.mark.parametrize("hostile", [False, True], ids=["clean", "hostile"])
def test_tls_connects_through_a_retry(world: World, hostile: bool) -> None:
    """What the exporter gives is bound to the id and the token of the Retry at both ends."""
    client, server = world.client(), world.server()
    configuration = Configuration(handshake_timeout=60.0, retry="always")
    for seed in range(3):
        pair = pair_of(client, server, seed=seed, hostile=hostile, configuration=configuration).open()
        assert pair.server.endpoint.counters()["retried"] >= 1
        assert transfer(pair, DATA) == DATA


@pytest.mark.parametrize("hostile", [False, True], ids=["clean", "hostile"])
def test_plaintext_connects_without_proof(hostile: bool) -> None:
    for seed in range(5):
        pair = pair_of(PLAINTEXT, PLAINTEXT, seed=seed, hostile=hostile).open()
        assert pair.connection.peer is not None
        assert pair.connection.peer.common_name == ""
        assert transfer(pair, DATA) == DATA


@pytest.mark.parametrize("suite", ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"])
def test_the_packet_suite_is_that_of_tls(world: World, suite: str) -> None:
    client = world.config("client", issue_client(world.ca, "laptop"), ciphers=(suite,))
    pair = pair_of(client, world.server()).open()
    assert transfer(pair, DATA) == DATA


@pytest.mark.parametrize(
    "suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
)
@pytest.mark.parametrize("hostile", [False, True], ids=["clean", "hostile"])
def test_keys_from_tls_are_updated_many_times_by_both_ends(world: World, suite: str, hostile: bool) -> None:
    often = Configuration(handshake_timeout=60.0, key_update_interval=10, max_datagram_size=1452)
    client = world.config("client", issue_client(world.ca, "laptop"), ciphers=(suite,))
    pair = pair_of(client, world.server(), hostile=hostile, configuration=often).open()
    for number in range(6):
        pair.accepted.ping(pair.network.now)
        assert transfer(pair, DATA[number:], 600.0) == DATA[number:]
        pair.network.run_for(1.0)
    updates = [end.statistics().key_updates for end in (pair.connection, pair.accepted)]
    assert min(updates) >= 6
    assert hostile or not pair.accepted.statistics().undecryptable_packets


@pytest.mark.parametrize("hostile", [False, True], ids=["clean", "hostile"])
def test_a_client_of_another_ca_is_refused_and_hears_why(world: World, hostile: bool) -> None:
    client = world.client(issue_client(make_ca("another CA"), "laptop"))
    heard, said = errors(pair_of(client, world.server(), hostile=hostile))
    assert isinstance(heard, AuthenticationError)
    assert isinstance(said, AuthenticationError)


def test_a_server_with_another_name_is_refused_and_hears_why(world: World) -> None:
    server = world.server(issue_server(world.ca, "other", ["other.example"]))
    said, heard = errors(pair_of(world.client(), server))
    assert isinstance(said, AuthenticationError)
    assert "other.example" in str(said)
    assert isinstance(heard, AuthenticationError)


@pytest.mark.parametrize("is_client", [True, False])
def test_tls_and_plaintext_do_not_meet(world: World, is_client: bool) -> None:
    ends: tuple[Config, Config] = (PLAINTEXT, world.server())
    if not is_client:
        ends = (world.client(), PLAINTEXT)
    error, _ = errors(pair_of(*ends))
    assert type(error) is HandshakeError
    assert "PLAINTEXT" in str(error)


def test_losing_the_first_datagrams_of_a_tls_handshake_ends_connected(world: World) -> None:
    client, server = world.client(), world.server()
    for mask in (0b1, 0b110, 0b1011, 0b111100, 0b10101010, (1 << 12) - 1):
        pair = pair_of(client, server)
        pair.network.drop = Losses(mask)
        pair.open()
        assert pair.connection.is_open


class Losses:
    """Loses the nth datagram if bit n is set."""

    def __init__(self, mask: int) -> None:
        self.mask = mask

    def __call__(self, index: int, data: bytes) -> bool:
        return bool(self.mask >> index & 1)
