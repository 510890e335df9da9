"""Stateless reset: a server that has lost a connection says so (docs/wire-format.md §3.6)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ConnectionClosed
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import RandomIds, reset_key_of, reset_token
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.events import Address
from fastmux.protocol.stateless_reset import ResetLimit, ResetTokens, encode_reset
from network import Network, Node
from protocol.pairs import Pair, make_pair, transfer
from protocol.scripted import SMALL, ScriptedHandshake

KEY = b"a key that outlives the process"
KEPT = Configuration(reset_key=KEY)
TOKEN = bytes(range(16))
HERE, THERE = ("192.0.2.1", 1), ("192.0.2.2", 1)


# --- its parts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [22, 30, 41, 42, 1200, 65507])
def test_it_is_shorter_than_what_it_answers_and_looks_like_a_short_header(size: int) -> None:
    packet = encode_reset(TOKEN, size, Random(1).randbytes)
    assert c.MIN_STATELESS_RESET_SIZE <= len(packet) < size
    assert len(packet) <= c.MAX_STATELESS_RESET_SIZE
    assert packet[0] & ~c.KEY_PHASE_BIT == c.FIXED_BIT
    assert packet.endswith(TOKEN)


def test_few_go_to_one_network_and_not_too_many_to_all() -> None:
    limit = ResetLimit()
    assert sum(limit.take(HERE, 100, 0.0) for _ in range(1000)) == c.RESET_BURST_PER_ADDRESS
    assert sum(limit.take(HERE, 100, 1.0) for _ in range(1000)) == c.RESET_RATE_PER_ADDRESS
    hosts = [(f"10.0.{number >> 8}.{number & 255}", 1) for number in range(3000)]
    assert sum(limit.take(host, 100, 3.0) for host in hosts) == c.RESET_BURST
    assert not limit.take(THERE, c.MIN_STATELESS_RESET_SIZE, 100.0)


def test_a_token_leads_to_its_owner_until_it_is_forgotten() -> None:
    tokens: ResetTokens[str] = ResetTokens(KEY)
    packet = encode_reset(TOKEN, 100, Random(1).randbytes)
    assert tokens.find(packet) is None
    tokens.watch(TOKEN, "me")
    assert tokens.find(packet) == "me"
    assert tokens.find(packet[-20:]) is None
    assert tokens.find(packet[:-1] + b"x") is None
    tokens.forget(TOKEN)
    tokens.forget(TOKEN)
    assert tokens.find(packet) is None
    assert len(tokens) == 0


def test_tokens_are_compared_by_a_keyed_hash() -> None:
    """What is looked up depends on a secret, so the time it takes tells nothing of a token."""
    tokens: ResetTokens[str] = ResetTokens(KEY)
    tokens.watch(TOKEN, "me")
    assert TOKEN not in tokens._owners
    assert ResetTokens(b"another key")._hash(TOKEN) not in tokens._owners


def test_each_socket_has_a_key_of_its_own() -> None:
    sockets: list[Address] = [("0.0.0.0", 1), ("0.0.0.0", 2), ("::", 1, 0, 0), ("127.0.0.1", 1)]
    assert len({reset_key_of(KEY, address) for address in sockets}) == 4
    assert reset_key_of(KEY, ("::", 1, 0, 0)) == reset_key_of(KEY, ("::", 1, 0, 0))


# --- a server that restarts -------------------------------------------------------------------------------


def restart(pair: Pair, configuration: Configuration) -> Node:
    """Another process at the server's address, which knows nothing."""
    network = pair.network
    dice = Random(99)
    endpoint = Endpoint(
        configuration, random_bytes=dice.randbytes, accept=lambda: ScriptedHandshake(False, SMALL)
    )
    node = Node("server again", pair.server.address, endpoint)
    network.nodes[pair.server.address] = node
    return node


def open_pair(configuration: Configuration = KEPT) -> Pair:
    pair = make_pair(configuration=configuration).open()
    pair.network.run_for(3.0)
    return pair


def reset_error(pair: Pair) -> ConnectionClosed:
    error = pair.client.closed(pair.connection)
    assert isinstance(error, ConnectionClosed)
    return error


@pytest.mark.parametrize("size", [4, 8, 20])
def test_a_client_notices_at_once_that_its_server_was_restarted(size: int) -> None:
    """With the first packet, be it a PING: as short as a packet can be."""
    configuration = Configuration(reset_key=KEY, connection_ids=RandomIds(size))
    pair = open_pair(configuration)
    node = restart(pair, configuration)
    start = pair.network.now
    pair.connection.data_path.queue_control(0, bytes((c.FRAME_PING,)))
    pair.connection.touch()
    pair.network.run(lambda: pair.connection.is_closed)
    assert pair.network.now - start == pytest.approx(0.02, abs=0.001)
    error = reset_error(pair)
    assert (error.code, error.remote) == (c.CONNECTION_UNKNOWN, True)
    assert "restarted" in str(error)
    assert node.endpoint.counters()["resets_sent"] >= 1
    assert pair.client.endpoint.counters()["resets_received"] == 1
    pair.network.run_for(1.0)
    assert pair.client.endpoint.connections == 0
    assert not pair.client.endpoint._by_id
    assert len(pair.client.endpoint._reset_tokens) == 0


def test_nothing_is_sent_after_a_reset() -> None:
    pair = open_pair()
    restart(pair, KEPT)
    channel_id = pair.connection.data_path.open(c.KIND_STREAM)
    pair.connection.data_path.write(channel_id, bytes(100_000))
    pair.connection.touch()
    pair.network.run(lambda: pair.connection.is_closed)
    sent = pair.network.link(pair.client, pair.server).sent
    pair.network.run_for(30.0)
    assert pair.network.link(pair.client, pair.server).sent == sent


def test_what_had_arrived_can_still_be_read() -> None:
    pair = open_pair()
    channel_id = pair.accepted.data_path.open(c.KIND_STREAM)
    pair.accepted.data_path.write(channel_id, b"last words")
    pair.accepted.touch()
    pair.network.run_for(1.0)
    restart(pair, KEPT)
    pair.connection.ping(pair.network.now)
    pair.network.run(lambda: pair.connection.is_closed)
    assert pair.connection.data_path.read(channel_id, 100) == b"last words"
    pair.connection.discard()


def test_a_server_that_kept_no_key_is_noticed_by_its_silence() -> None:
    pair = open_pair(Configuration())
    restart(pair, Configuration())
    pair.connection.ping(pair.network.now)
    pair.network.run_for(5.0)
    assert not pair.connection.is_closed
    pair.network.run(lambda: pair.connection.is_closed)
    assert reset_error(pair).code == c.IDLE_TIMEOUT


def test_after_a_move_it_is_the_token_of_the_new_id_that_counts() -> None:
    pair = open_pair()
    first = pair.accepted.ids.local
    via = pair.network.add_local_path(pair.client)
    pair.connection.migrate(via, pair.network.now)
    pair.network.run_for(10.0)
    assert first not in pair.accepted.local_ids
    inject(pair, reset_token(KEY, first))  # that of an id which is retired
    assert not pair.connection.is_closed
    assert len(pair.connection.reset_tokens) == 1
    restart(pair, KEPT)
    pair.connection.ping(pair.network.now)
    pair.network.run(lambda: pair.connection.is_closed, timeout=1.0)
    assert reset_error(pair).code == c.CONNECTION_UNKNOWN


def test_a_server_notices_too_where_its_client_has_given_ids_with_tokens() -> None:
    pair = open_pair()
    via = pair.network.add_local_path(pair.client)
    pair.connection.migrate(via, pair.network.now)
    pair.network.run_for(10.0)
    (token,) = pair.accepted.reset_tokens
    packet = encode_reset(token, 100, Random(1).randbytes)
    pair.network.inject(packet, pair.client.address, pair.server)
    assert not pair.accepted.is_closed  # it is at another address now
    pair.network.inject(packet, pair.accepted.address, pair.server)
    assert pair.accepted.is_closed


def test_when_a_connection_is_over_its_tokens_are_watched_no_more() -> None:
    pair = open_pair()
    assert len(pair.client.endpoint._reset_tokens) == 1
    pair.connection.close(0, "", pair.network.now)
    pair.network.run_for(5.0)
    assert len(pair.client.endpoint._reset_tokens) == 0


# --- who would like to end somebody's connection -----------------------------------------------------------


def inject(pair: Pair, token: bytes, source: tuple[str, int] | None = None, size: int = 100) -> None:
    packet = encode_reset(token, size, Random(1).randbytes)
    pair.network.inject(packet, source or pair.server.address, pair.client)


def test_only_the_token_of_an_id_in_use_from_the_address_of_the_server_ends_a_connection() -> None:
    pair = open_pair()
    table = pair.server.endpoint
    used, spare = (table.reset_token(name) for name in pair.accepted.local_ids)
    inject(pair, spare)
    inject(pair, used, THERE)
    inject(pair, used[:-1] + bytes((used[-1] ^ 1,)))
    for number in range(1000):
        inject(pair, Random(number).randbytes(16))
    assert not pair.connection.is_closed
    assert transfer(pair, bytes(1000)) == bytes(1000)
    inject(pair, used, size=22)
    assert pair.connection.is_closed


def test_before_the_handshake_is_done_there_is_no_token_that_could_end_it() -> None:
    pair = make_pair(configuration=KEPT)
    pair.network.run(lambda: pair.connection._data.has_keys)
    assert not pair.connection.reset_tokens
    pair.open()


def test_the_token_of_a_live_connection_is_told_to_nobody() -> None:
    """Whatever is sent to an id that leads somewhere, from wherever: it is answered by no reset."""
    pair = open_pair()
    for name in pair.accepted.local_ids:
        for source in (HERE, pair.client.address):
            for size in (22, 100, 1200):
                packet = bytes((c.FIXED_BIT,)) + name + bytes(size - 1 - len(name))
                pair.network.inject(packet, source, pair.server)
    assert pair.server.endpoint.counters()["resets_sent"] == 0
    assert transfer(pair, bytes(1000)) == bytes(1000)


def test_an_id_of_one_socket_gets_another_token_at_the_next() -> None:
    pair = open_pair(Configuration(reset_key=reset_key_of(KEY, HERE)))
    other = Configuration(reset_key=reset_key_of(KEY, THERE))
    node = pair.network.add("other socket", other, accept=lambda: ScriptedHandshake(False))
    answers: list[bytes] = []

    def keep(index: int, data: bytes) -> bool:
        answers.append(data)
        return True

    pair.network.drop = keep
    packet = bytes((c.FIXED_BIT,)) + pair.accepted.ids.local + bytes(100)
    pair.network.inject(packet, pair.client.address, node)
    assert len(answers) == 1
    inject(pair, answers[0][-16:])
    assert not pair.connection.is_closed


# --- strays -----------------------------------------------------------------------------------------------


def stray(size: int, name: bytes = b"nobodys!") -> bytes:
    return bytes((c.FIXED_BIT,)) + name + bytes(size - 1 - len(name))


def server(configuration: Configuration = KEPT) -> tuple[Network, Node]:
    network = Network()
    return network, network.add("server", configuration, accept=lambda: ScriptedHandshake(False))


@pytest.mark.parametrize("size", [9, 21])
def test_what_is_too_short_is_not_answered(size: int) -> None:
    network, node = server()
    network.inject(stray(size), HERE, node)
    assert network.datagrams == 0
    assert node.endpoint.counters()["stray"] == 1


def test_an_endpoint_that_only_connects_answers_no_strays() -> None:
    network = Network()
    node = network.add("client", KEPT)
    network.inject(stray(100), HERE, node)
    assert network.datagrams == 0


def test_a_flood_of_strays_is_answered_at_a_limited_rate_and_remembered_nowhere() -> None:
    network, node = server()
    for number in range(1000):
        network.inject(stray(1200, b"%08d" % number), HERE, node)
    link = network._link(node.address, HERE)
    assert link.sent == c.RESET_BURST_PER_ADDRESS
    assert link.sent_size <= link.sent * c.MAX_STATELESS_RESET_SIZE
    assert node.endpoint.counters()["stray"] == 1000
    assert not node.endpoint._by_id


def test_two_servers_do_not_answer_each_other_for_ever() -> None:
    network = Network()
    one, other = (
        network.add(name, Configuration(reset_key=bytes(16)), accept=lambda: ScriptedHandshake(False))
        for name in ("one", "other")
    )
    network.inject(stray(1200), other.address, one)
    network.run_for(60.0)
    assert network.datagrams <= c.MAX_STATELESS_RESET_SIZE - c.MIN_STATELESS_RESET_SIZE + 1


@pytest.mark.parametrize(
    "make", [lambda packet: packet[:1] + bytes(8) + packet[9:], lambda packet: packet], ids=["id", "as it is"]
)
def test_a_reset_in_a_train_is_found(make: Callable[[bytes], bytes]) -> None:
    """Behind a packet of ours of the same size, in one buffer."""
    pair = open_pair()
    token = pair.server.endpoint.reset_token(pair.accepted.ids.local)
    buffer = bytearray(2048)
    size = pair.accepted._data.traffic.build(buffer, bytes((c.FRAME_PING,)), 41, 0, pair.network.now)
    assert size == 41
    train = [bytes(buffer[:41]), make(encode_reset(token, 100, Random(1).randbytes))]
    pair.client.receive(train, pair.server.address, pair.network.now)
    assert pair.connection.is_closed


# --- where tokens travel ----------------------------------------------------------------------------------


def test_the_id_of_the_handshake_gets_its_token_under_application_keys() -> None:
    pair = open_pair()
    assert pair.connection.reset_tokens == (reset_token(KEY, pair.accepted.ids.local),)


@pytest.mark.parametrize(
    ("name", "token"), [(b"another!", TOKEN), (None, bytes(15) + b"x")], ids=["another id", "another token"]
)
def test_number_0_with_another_id_or_a_second_token_breaks_a_rule(name: bytes | None, token: bytes) -> None:
    pair = open_pair()
    frame = core.encode_frame((c.FRAME_NEW_ID, 0, 0, name or pair.accepted.ids.local, token))
    pair.accepted.data_path.queue_control(0, frame)
    pair.accepted.touch()
    pair.network.run(lambda: pair.connection.is_closed)
    error = pair.client.closed(pair.connection)
    assert isinstance(error, ConnectionClosed)
    assert error.code == c.PROTOCOL_VIOLATION
