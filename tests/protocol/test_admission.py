"""Who comes in under load: Retry, half-open limits, rates of handshakes (H2, H3)."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.admission import Admission, Verdict
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.events import Address
from fastmux.protocol.retry import NO_RETRY, Retry
from hostile.attacker import HalfOpen
from network import Network, Node
from protocol.pairs import make_pair
from protocol.scripted import ScriptedHandshake
from protocol.test_endpoint import knock, unknown

HERE = ("192.0.2.1", 1)


def admission(**settings: Any) -> Admission[int]:
    return Admission(Configuration(**settings), bytes)


def host(number: int) -> tuple[str, int]:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1


def knocks(
    door: Admission[int], count: int, now: float, *, token: bytes = b"", leave: bool = True
) -> Verdict:
    """So many knocks from hosts of their own, which enter if they may; the last verdict."""
    verdict = Verdict.REFUSE
    for number in range(count):
        verdict = door.judge(host(number), bool(token), 0, now)
        if verdict is Verdict.ADMIT:
            door.enter(number, host(number), token, now)
            if leave:
                door.gate.leave(number)
    return verdict


# --- when a Retry comes first ---------------------------------------------------------------------------


def test_usual_traffic_meets_no_retry() -> None:
    door = admission()
    assert knocks(door, 100, 0.0) is Verdict.ADMIT
    for second in range(1, 60):  # ten times what a busy server sees
        assert knocks(door, 50, float(second)) is Verdict.ADMIT


def test_more_handshakes_than_usual_have_their_addresses_proved() -> None:
    door = admission()
    assert knocks(door, int(c.RETRY_FREE_BURST), 0.0) is Verdict.ADMIT
    assert door.judge(HERE, False, 0, 0.0) is Verdict.RETRY
    assert door.judge(HERE, True, 0, 0.0) is Verdict.ADMIT
    assert door.judge(HERE, False, 0, 1.0) is Verdict.ADMIT


def test_many_half_open_have_their_addresses_proved() -> None:
    door = admission(max_half_open=80)
    assert knocks(door, 10, 0.0, leave=False) is Verdict.ADMIT
    assert door.judge(HERE, False, 0, 0.0) is Verdict.RETRY
    assert door.judge(HERE, True, 0, 0.0) is Verdict.ADMIT
    door.gate.leave(0)
    assert door.judge(HERE, False, 0, 0.0) is Verdict.ADMIT


def test_many_half_open_of_one_network_have_only_its_own_addresses_proved() -> None:
    door = admission(max_half_open_per_address=16)
    for number in range(2):
        door.enter(number, HERE, b"", 0.0)
    assert door.judge(HERE, False, 0, 0.0) is Verdict.RETRY
    assert door.judge(("192.0.2.2", 1), False, 0, 0.0) is Verdict.ADMIT


@pytest.mark.parametrize(("choice", "verdict"), [("always", Verdict.RETRY), ("never", Verdict.ADMIT)])
def test_the_choice_may_be_made_beforehand(choice: str, verdict: Verdict) -> None:
    door = admission(retry=choice, max_handshake_rate_per_address=None)
    assert door.judge(HERE, False, 0, 0.0) is verdict
    assert door.judge(HERE, True, 0, 0.0) is Verdict.ADMIT


# --- limits ---------------------------------------------------------------------------------------------


def test_full_is_full_with_or_without_a_token() -> None:
    door = admission(max_half_open=3, retry="never")
    assert knocks(door, 3, 0.0, leave=False) is Verdict.ADMIT
    assert door.judge(HERE, True, 0, 0.0) is Verdict.REFUSE
    assert admission(max_connections=5).judge(HERE, True, 5, 0.0) is Verdict.REFUSE


def test_one_network_begins_so_many_handshakes_a_second() -> None:
    door = admission(max_half_open_per_address=20, max_handshake_rate_per_address=10.0)

    def count(now: float) -> int:
        entered = 0
        while door.judge(HERE, True, 0, now) is Verdict.ADMIT:
            door.enter(0, HERE, b"token", now)
            door.gate.leave(0)
            entered += 1
        return entered

    assert count(0.0) == 20
    assert count(1.0) == 10
    assert door.judge(("192.0.2.2", 1), True, 0, 1.0) is Verdict.ADMIT
    assert len(door.gate) == 0


def test_who_only_pretends_to_be_somebody_uses_up_nothing_of_his() -> None:
    door = admission(max_half_open_per_address=20, max_handshake_rate_per_address=1.0)
    for _ in range(1000):
        if door.judge(HERE, False, 0, 0.0) is Verdict.ADMIT:
            door.enter(0, HERE, b"", 0.0)
            door.gate.leave(0)
    assert door.judge(HERE, False, 0, 0.0) is Verdict.RETRY
    for _ in range(20):
        assert door.judge(HERE, True, 0, 0.0) is Verdict.ADMIT
        door.enter(0, HERE, b"token", 0.0)
        door.gate.leave(0)
    assert door.judge(HERE, True, 0, 0.0) is Verdict.REFUSE


def test_without_retries_the_limit_of_a_network_holds_for_everybody_who_uses_its_name() -> None:
    door = admission(retry="never", max_half_open_per_address=5, max_handshake_rate_per_address=1.0)
    for _ in range(5):
        door.enter(0, HERE, b"", 0.0)
        door.gate.leave(0)
        door.judge(HERE, False, 0, 0.0)
    assert door.judge(HERE, False, 0, 0.0) is Verdict.REFUSE
    assert door.judge(HERE, False, 0, 1.5) is Verdict.ADMIT


def test_all_networks_together_begin_so_many_a_second() -> None:
    door = admission(max_half_open=200, max_handshake_rate=100.0)
    assert knocks(door, 200, 0.0, token=b"token") is Verdict.ADMIT
    assert door.judge(HERE, True, 0, 0.0) is Verdict.REFUSE
    assert knocks(door, 100, 1.0, token=b"token") is Verdict.ADMIT
    assert door.judge(HERE, True, 0, 1.0) is Verdict.REFUSE


def test_none_switches_the_rates_off() -> None:
    door = admission(max_handshake_rate=None, max_handshake_rate_per_address=None)
    assert knocks(door, 20_000, 0.0) is Verdict.ADMIT
    for _ in range(2000):
        assert door.judge(HERE, True, 0, 0.0) is Verdict.ADMIT
        door.enter(0, HERE, b"token", 0.0)
        door.gate.leave(0)


def test_a_server_that_restarts_takes_all_its_clients_at_once() -> None:
    """A thousand from many networks, two hundred from one: half of them through a Retry, none refused."""
    door = admission()
    for number in range(1000):
        address = host(number) if number >= 200 else (HERE[0], number)
        verdict = door.judge(address, False, 0, 0.0)
        if verdict is Verdict.RETRY:
            assert door.judge(address, True, 0, 0.0) is Verdict.ADMIT
            door.enter(number, address, b"token", 0.0)
        else:
            assert verdict is Verdict.ADMIT
            door.enter(number, address, b"", 0.0)
        if number >= 500:
            door.gate.leave(number - 500)


# --- when it is short it is shared ----------------------------------------------------------------------


def test_when_all_places_are_taken_a_proved_newcomer_gets_one_of_the_largest_network() -> None:
    door = admission(max_half_open=6)
    for number in range(5):
        door.enter(number, HERE, b"token", float(number))
    door.enter(5, host(5), b"token", 5.0)
    assert door.judge(host(7), False, 6, 6.0) is Verdict.RETRY
    assert door.judge(host(7), True, 6, 6.0) is Verdict.ADMIT
    assert door.enter(7, host(7), b"token", 6.0) == 0
    assert len(door.gate) == 6
    assert 0 not in door.gate
    assert door.judge(host(8), True, 6, 1.0 + 0.9 * c.HALF_OPEN_GRACE) is Verdict.REFUSE
    assert admission(max_connections=5).judge(HERE, False, 5, 0.0) is Verdict.REFUSE


def test_the_last_part_of_the_rate_of_all_is_for_networks_that_began_few_handshakes() -> None:
    door = admission(max_half_open=80, max_handshake_rate=10.0, max_handshake_rate_per_address=None)
    busy = 0
    while door.judge(HERE, True, 0, 0.0) is Verdict.ADMIT:
        door.enter(0, HERE, b"token", 0.0)
        door.gate.leave(0)
        busy += 1
    assert busy == 80 - 80 // c.RETRY_SHARE
    assert door.judge(host(1), False, 0, 0.0) is Verdict.RETRY
    assert knocks(door, 80 // c.RETRY_SHARE, 0.0, token=b"token") is Verdict.ADMIT
    assert door.judge(host(20), True, 0, 0.0) is Verdict.REFUSE
    assert door.judge(host(20), True, 0, 0.1) is Verdict.ADMIT
    assert door.judge(HERE, True, 0, 0.1) is Verdict.REFUSE


# --- tokens ---------------------------------------------------------------------------------------------


def test_a_retry_is_good_for_the_client_it_was_made_for_once() -> None:
    door = Admission[int](Configuration(), lambda size: bytes(range(size)))
    retry = door.make_retry(HERE, b"first-id", b"retry-id", 0.0)
    assert retry.source_id == b"retry-id"
    assert door.first_id(retry.token, HERE, retry.source_id, 1.0) == b"first-id"
    assert door.first_id(retry.token, ("192.0.2.1", 2), retry.source_id, 1.0) is None
    assert door.spend(retry.token, 1.0)
    assert door.first_id(retry.token, HERE, retry.source_id, 1.0) is None


# --- over the network -----------------------------------------------------------------------------------


def flood(network: Network, node: Node, count: int) -> None:
    """Knocks of clients that do not exist, each from a host of its own, a millisecond apart."""
    for number in range(count):
        network.inject(knock(b"%08d" % number), host(number), node)
        network.run_for(0.001)


def test_through_a_flood_of_spoofed_knocks_a_client_connects_within_two_seconds() -> None:
    pair = make_pair().open()
    flood(pair.network, pair.server, 1000)
    counters = pair.server.endpoint.counters()
    assert len(pair.server.endpoint._gate) <= Configuration().max_half_open // c.RETRY_SHARE
    assert counters["retried"] > 800
    assert counters["refused"] == 0
    client = pair.network.add("second")
    start = pair.network.now
    connection = client.endpoint.connect(pair.server.address, ScriptedHandshake(True), start)
    pair.network.run(lambda: connection.has_opened)
    assert pair.network.now - start < 2.0
    pair.network.run_for(20.0)
    assert pair.server.endpoint.connections == 2


def test_a_flood_in_the_name_of_a_client_does_not_lock_it_out() -> None:
    network = Network()
    node = network.add("server", accept=lambda: ScriptedHandshake(False))
    client = network.add("client")
    for number in range(1000):
        network.inject(knock(b"%08d" % number), (client.address[0], 1000 + number), node)
    connection = client.endpoint.connect(node.address, ScriptedHandshake(True), network.now)
    network.run(lambda: connection.has_opened, timeout=1.0)


class Occupiers:
    """Hosts that prove their addresses, begin handshakes, and never go on with one."""

    def __init__(self, network: Network, node: Node, hosts: Sequence[Address]) -> None:
        self._network = network
        self._node = node
        self._hosts = hosts
        self._dice = Random(1)
        self._waiting: dict[Address, bytes] = {}
        self._retries: list[tuple[Address, bytes]] = []
        network.watcher = self

    def sent(self, node: Node, source: Address, target: Address, data: bytes, now: float) -> None:
        if target in self._waiting:
            self._retries.append((target, data))

    def delivered(self, *args: object) -> None:
        """Nothing is to be seen of it."""

    def knock(self) -> None:
        """Each host begins one more handshake, and answers the Retries that came."""
        for name, _, *rest in self._hosts:
            port = self._dice.randrange(1024, 65536)
            address: Address = (name, port, 0, 0) if rest else (name, port)
            self._waiting[address] = first_id = self._dice.randbytes(8)
            self._send(address, first_id, NO_RETRY._replace(source_id=first_id))
        retries, self._retries = self._retries, []
        for address, data in retries:
            header = core.parse_long_header(data, 0, len(data))
            if header.type == c.LONG_RETRY and address in self._waiting:
                token = data[header.header_size : -c.TAG_SIZE]
                self._send(address, self._waiting.pop(address), Retry(header.source_id, token))

    def _send(self, address: Address, first_id: bytes, retry: Retry) -> None:
        half = HalfOpen(first_id, address)
        half.redirect(retry)
        self._network.inject(half.knock(token=retry.token).data, address, self._node)


ELSEWHERE = [(f"{number}.51.100.9", 1) for number in range(100, 125)]  # clients are in 10.0.0.0/24
SITE = [(f"2001:db8:0:{number:x}::1", 1, 0, 0) for number in range(50)]


@pytest.mark.parametrize(
    "hosts", [ELSEWHERE[:3], ELSEWHERE, SITE], ids=["three hosts", "25 hosts", "a /48"]
)
def test_hosts_that_take_all_places_and_go_silent_lock_nobody_out(hosts: Sequence[Address]) -> None:
    """Guards: five proved addresses with 2 Mbit/s held every place. A fifth of the limits."""
    network = Network()
    settings = Configuration(
        max_half_open=200,
        max_half_open_per_address=100,
        max_handshake_rate=50.0,
        max_handshake_rate_per_address=25.0,
    )
    node = network.add("server", settings, accept=lambda: ScriptedHandshake(False))
    occupiers = Occupiers(network, node, hosts)
    clients: list[Connection] = []
    pause = max(len(hosts) / 100, 0.1)  # a hundred knocks a second, or ten of each host
    while network.now < 100.0 + 22.0:
        occupiers.knock()
        if network.now > 112.0 and len(clients) < 10:
            client = network.add(f"client {len(clients)}")
            clients.append(client.endpoint.connect(node.address, ScriptedHandshake(True), network.now))
        network.run_for(pause)
    assert len(clients) == 10
    assert sum(connection.has_opened for connection in clients) >= 9
    assert len(node.endpoint._gate) == 200
    assert node.endpoint.counters()["displaced"] >= 9
    network.watcher = None
    network.run_for(c.HANDSHAKE_TIMEOUT + 3 * c.MAX_PTO)
    assert node.endpoint.connections == len(clients)


def test_clients_at_ten_times_the_usual_rate_connect_without_delay() -> None:
    """Fifty a second from one host: nobody meets a limit, nobody is sent back."""
    network = Network()
    node = network.add("server", accept=lambda: ScriptedHandshake(False))
    client = network.add("client")
    connections: list[Connection] = []
    for _ in range(250):
        connections.append(client.endpoint.connect(node.address, ScriptedHandshake(True), network.now))
        network.run_for(0.02)
    network.run(lambda: all(connection.has_opened for connection in connections))
    counters = node.endpoint.counters()
    assert (counters["retried"], counters["refused"], counters["accepted"]) == (0, 0, 250)
    assert counters["displaced"] == 0


def test_many_clients_at_once_all_connect() -> None:
    network = Network()
    node = network.add("server", accept=lambda: ScriptedHandshake(False))
    client = network.add("client")
    connections = [
        client.endpoint.connect(node.address, ScriptedHandshake(True), network.now) for _ in range(200)
    ]
    network.run(lambda: all(connection.has_opened for connection in connections), timeout=3.0)
    assert node.endpoint.counters()["accepted"] == 200
    assert node.endpoint.counters()["retried"] > 0


def test_an_ignored_knock_leaves_nothing_behind() -> None:
    network = Network()
    node = network.add("server", Configuration(retry="always"), accept=lambda: ScriptedHandshake(False))
    for number in range(2000):
        network.inject(knock(b"%08d" % number), host(number), node)
    endpoint = node.endpoint
    assert not endpoint._by_id
    assert not endpoint._by_first_id
    assert endpoint.connections == 0
    assert endpoint._gate.is_empty
    assert not endpoint._admission._tokens._spent


def test_a_storm_of_datagrams_that_come_to_nothing_costs_no_memory() -> None:
    """Damaged, stray, foreign, forged, from ever new addresses: what stays is in tables of bounded size."""
    configuration = Configuration(retry="always")
    dice = Random(1)
    endpoint = Endpoint(configuration, random_bytes=dice.randbytes, accept=lambda: ScriptedHandshake(False))
    damaged = knock()[:-1] + b"?"
    kinds = (damaged, damaged[:900], b"\x40" + bytes(60), bytes(30), unknown(), damaged[:20], b"")
    out = bytearray(65536)

    def storm(kinds: Sequence[bytes], start: int, count: int) -> None:
        for number in range(start, start + count):
            packet = bytearray(kinds[number % len(kinds)])
            endpoint.receive(packet, len(packet), max(len(packet), 1), host(number), number / 1e3)
            while endpoint.transmit(out, number / 1e3) is not None:
                pass

    tracemalloc.start()
    try:
        storm(kinds[2:3], 0, c.MAX_RATED_PREFIXES)  # until the table is full
        before, _ = tracemalloc.get_traced_memory()
        storm(kinds, c.MAX_RATED_PREFIXES, 10_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert endpoint.connections == 0
    assert len(endpoint._reset_limit._each) == c.MAX_RATED_PREFIXES
    assert after - before < 300_000  # a dictionary may be twice as large as a while ago
