"""Somebody on the path without keys: what it does, and that it changes nothing that is delivered."""

from __future__ import annotations

import pytest

from fastmux.protocol.events import Address, PathMoved
from network import Network, Node
from network.attacker import Attack, Attacker, Kind
from network.world import Way
from protocol.pairs import Pair, make_pair, transfer

DATA = bytes(range(256)) * 80


class Log:
    """A watcher that keeps what arrives."""

    def __init__(self) -> None:
        self.arrived: list[tuple[float, str, Address, bytes]] = []
        self.sent_data: list[bytes] = []

    def sent(self, node: Node, source: Address, target: Address, data: bytes, now: float) -> None:
        self.sent_data.append(data)

    def delivered(self, node: Node, source: Address, data: bytes, now: float) -> None:
        self.arrived.append((now, node.name, source, data))


def attacked(kind: Kind, *, to_server: bool = True, count: int = 5) -> tuple[Pair, Log, Attacker]:
    """A pair in the middle of a transfer, an attack of this kind, and what arrived from then on."""
    pair = make_pair()
    attacker = Attacker(pair.network, pair.server.address)
    pair.network.intruder = attacker
    log = Log()
    pair.network.watcher = log
    pair.open()
    attacker.act(Attack(kind=kind, to_server=to_server, after=0.0, is_late=True, count=count, seed=7))
    assert transfer(pair, DATA) == DATA
    pair.network.run_for(5.0)
    return pair, log, attacker


@pytest.mark.parametrize("to_server", [True, False])
@pytest.mark.parametrize("kind", list(Kind))
def test_no_attack_without_keys_changes_what_arrives_or_ends_the_connection(
    kind: Kind, to_server: bool
) -> None:
    pair, _, _ = attacked(kind, to_server=to_server, count=20)
    assert not pair.connection.is_closed
    assert not pair.accepted.is_closed


def test_replayed_datagrams_come_twice_from_the_same_address() -> None:
    pair, log, _ = attacked(Kind.REPLAY)
    assert {source for _, name, source, _ in log.arrived if name == "server"} == {pair.client.address}
    arrived = [data for _, _, _, data in log.arrived]
    assert len(arrived) - len(set(arrived)) == 5


def test_forged_datagrams_are_none_that_anybody_sent() -> None:
    pair, log, attacker = attacked(Kind.FORGE)
    assert len([data for _, _, _, data in log.arrived if data not in log.sent_data]) == 5
    assert pair.accepted.statistics().duplicate_packets == 0


def test_copies_from_elsewhere_that_arrive_first_move_a_server_only_for_a_while() -> None:
    pair, log, attacker = attacked(Kind.RACE)
    (elsewhere,) = attacker.addresses
    moves = [event for event in pair.server.events[pair.accepted] if isinstance(event, PathMoved)]
    assert moves[0].address == elsewhere
    assert pair.accepted.address == pair.client.address


def test_what_is_stolen_comes_late() -> None:
    pair, log, _ = attacked(Kind.STEAL, count=1)
    numbers = [log.sent_data.index(data) for _, _, _, data in log.arrived]
    (late,) = [place for place, number in enumerate(numbers) if place and number < numbers[place - 1]]
    assert log.arrived[late][0] > log.arrived[late - 1][0]


def test_what_is_put_on_the_way_arrives_as_if_it_came_from_there() -> None:
    network = Network()
    node = network.add("only")
    log = Log()
    network.watcher = log
    network.put(b"\x01", Way(("192.0.2.1", 1), node.address), 0.5)
    network.run_for(1.0)
    assert log.arrived == [(100.5, "only", ("192.0.2.1", 1), b"\x01")]
    assert node.endpoint.counters()["foreign"] == 1
