"""The network: clock, order, and replay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from network import Conditions, Network, Node, Stuck
from protocol.pairs import make_pair, transfer
from protocol.scripted import ScriptedHandshake

TESTS = Path(__file__).parent.parent
HOSTILE = Conditions(loss=0.1, reordering=0.3, duplication=0.1, damage=0.02, jitter=0.01, rate=1_250_000)


def digest(seed: int) -> str:
    pair = make_pair(seed=seed, conditions=HOSTILE).open()
    assert transfer(pair, bytes(50_000)) == bytes(50_000)
    return pair.network.trace.digest()


def test_a_seed_replays_bit_for_bit() -> None:
    assert digest(5) == digest(5)


def test_another_seed_is_another_run() -> None:
    assert digest(5) != digest(6)


@pytest.mark.slow
def test_a_replay_does_not_depend_on_the_hash_seed() -> None:
    program = "from network.test_world import digest; print(digest(5))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=TESTS,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{TESTS}:{TESTS.parent / 'src'}"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_the_clock_jumps_to_what_is_next() -> None:
    pair = make_pair(conditions=Conditions(delay=1000.0))
    pair.network.run(lambda: pair.server.endpoint.connections == 1, timeout=2000.0)
    assert pair.network.now == 1100.0


def test_what_does_not_come_about_is_an_error() -> None:
    network = Network()
    with pytest.raises(Stuck):
        network.run(lambda: False, timeout=5.0)


def test_running_for_a_while_moves_the_clock_even_if_nothing_happens() -> None:
    network = Network()
    network.run_for(5.0)
    assert network.now == 105.0


def test_datagrams_that_leave_together_arrive_as_a_train() -> None:
    pair = make_pair(conditions=Conditions(delay=0.01, mtu=((0.0, 1500),))).open()
    pair.network.run_for(1.0)
    trains: list[int] = []
    receive = pair.server.endpoint.receive
    sizes: list[int] = []

    class Watched(Node):
        def receive(self, train: list[bytes], source: object, now: float, via: int = 0) -> None:
            trains.append(len(train))
            data = bytearray(b"".join(train))
            sizes.append(len(data))
            receive(data, len(data), len(train[0]), pair.client.address, now)

    watched = Watched("server", pair.server.address, pair.server.endpoint)
    watched.accepted = pair.server.accepted
    pair.network.nodes[pair.server.address] = watched
    pair.connection.data_path.write(pair.connection.data_path.open(0), bytes(10_000))
    pair.connection.touch()
    pair.network.run_for(0.02)
    assert max(trains) >= 5
    assert max(sizes) > 6000


def test_a_datagram_to_nowhere_is_gone() -> None:
    network = Network()
    client = network.add("client")
    connection = client.endpoint.connect(("10.0.0.9", 1), ScriptedHandshake(True), network.now)
    network.run(lambda: connection.is_closed)
    assert network.datagrams > 1
