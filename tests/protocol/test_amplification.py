"""Nobody who only pretends to be somewhere can have more sent there than three times what he sends himself.

Each test counts the bytes that go to an address of which nobody knows whether it is real (wire-format §4).
"""

from __future__ import annotations

from random import Random

import pytest

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from network import Network, Node
from protocol.pairs import Pair, make_pair
from protocol.scripted import NINE_CERTIFICATES, Fail, Script, ScriptedHandshake
from protocol.test_endpoint import knock, unknown

VICTIM = ("203.0.113.7", 7)
FACTOR = c.AMPLIFICATION_FACTOR


class Spoofer:
    """Sends to a node in the victim's name, and counts what goes each way."""

    def __init__(self, network: Network, node: Node) -> None:
        self.network = network
        self.node = node
        self.sent_size = 0

    def send(self, packet: bytes) -> None:
        """One datagram."""
        self.sent_size += len(packet)
        self.network.inject(packet, VICTIM, self.node)
        self.check()

    @property
    def received_size(self) -> int:
        """What the victim got."""
        return self.network._link(self.node.address, VICTIM).sent_size

    def check(self, factor: float = FACTOR) -> None:
        """Never more than three times, at any moment."""
        assert self.received_size <= factor * self.sent_size

    def wait(self, seconds: float) -> None:
        """Let probes, repeats and timeouts happen."""
        for _ in range(int(seconds * 10)):
            self.network.run_for(0.1)
            self.check()


def spoofer(configuration: Configuration | None = None, script: Script = NINE_CERTIFICATES) -> Spoofer:
    network = Network()
    node = network.add("server", configuration, accept=lambda: ScriptedHandshake(False, script))
    return Spoofer(network, node)


@pytest.mark.parametrize("flights", [1, 2, 5])
def test_a_handshake_that_never_goes_on(flights: int) -> None:
    spoof = spoofer(script=Script(server_size=9000))
    for _ in range(flights):
        spoof.send(knock())
        spoof.wait(0.5)
    assert spoof.received_size > 1200
    spoof.wait(20.0)
    assert spoof.node.endpoint.connections == 0


def test_handshakes_without_number() -> None:
    spoof = spoofer(Configuration(retry="never"))
    for number in range(300):
        spoof.send(knock(b"%08d" % number))
    spoof.wait(20.0)


def test_a_retry() -> None:
    spoof = spoofer(Configuration(retry="always"))
    for number in range(300):
        spoof.send(knock(b"%08d" % number))
    assert spoof.received_size > 0
    spoof.check(0.15)
    spoof.wait(20.0)
    spoof.check(0.15)


def test_a_retry_with_the_longest_ids() -> None:
    spoof = spoofer(Configuration(retry="always"))
    spoof.send(knock(bytes(20), bytes(range(20))))
    spoof.check(0.15)


def test_version_negotiation() -> None:
    spoof = spoofer()
    for _ in range(300):
        spoof.send(unknown())
    assert spoof.received_size > 0
    spoof.check(0.05)


def test_version_negotiation_with_the_longest_ids_that_any_version_has() -> None:
    """255 bytes each (RFC 8999): even then the answer is shorter."""
    spoof = spoofer()
    packet = b"\xc0\x1a\x2a\x3a\x4a" + b"\xff" + bytes(255) + b"\xff" + bytes(255)
    spoof.send(packet.ljust(1200, b"\0"))
    assert spoof.received_size > 500
    spoof.check(1.0)


def test_stateless_resets() -> None:
    spoof = spoofer()
    for size in [*range(1, 100), 1200, 9000]:
        packet = bytes((c.FIXED_BIT,)) + Random(size).randbytes(size - 1)
        before = spoof.received_size
        spoof.send(packet)
        assert spoof.received_size - before < size
    assert spoof.received_size > 0


def test_a_handshake_that_fails_and_repeats_why() -> None:
    spoof = spoofer(script=Script(server_size=9000, fail=Fail.SERVER_HELLO))
    spoof.send(knock())
    for _ in range(50):
        spoof.send(knock())
        spoof.wait(0.1)
    spoof.wait(20.0)
    assert spoof.received_size > 0


def test_rubbish_for_a_half_open_connection() -> None:
    """Datagrams that do not open count as received: their size was sent after all."""
    spoof = spoofer(script=Script(server_size=9000))
    spoof.send(knock())
    for number in range(50):
        damaged = bytearray(knock())
        damaged[600 + number] ^= 1
        spoof.send(bytes(damaged))
        spoof.wait(0.1)
    spoof.wait(20.0)


def newest_packet(pair: Pair, size: int) -> bytes:
    """A packet of the client's that is on nobody's way yet."""
    buffer = bytearray(2048)
    size = pair.connection._data.traffic.build(buffer, bytes((c.FRAME_PING,)), size, 0, pair.network.now)
    return bytes(buffer[:size])


@pytest.mark.parametrize("size", [30, 300, 1200])
def test_a_path_that_is_not_validated(size: int) -> None:
    """The client itself, or somebody with a copy of its newest packet, names the victim's address."""
    pair = make_pair().open()
    pair.network.run_for(2.0)
    server = pair.accepted
    channel_id = server.data_path.open(c.KIND_STREAM)
    server.data_path.write(channel_id, bytes(500_000))
    server.touch()
    spoof = Spoofer(pair.network, pair.server)
    for _ in range(5):
        spoof.send(newest_packet(pair, size))
    spoof.wait(10.0)
    assert spoof.received_size > 0 or size < 100


def test_a_closing_connection_whose_last_packets_seem_to_come_from_elsewhere() -> None:
    pair = make_pair().open()
    pair.network.run_for(2.0)
    packets = [newest_packet(pair, 1200) for _ in range(20)]
    pair.accepted.close(0, "", pair.network.now)
    spoof = Spoofer(pair.network, pair.server)
    for packet in packets:
        spoof.send(packet)
        spoof.wait(0.1)
    assert spoof.received_size <= len(packets) * c.MAX_STATELESS_RESET_SIZE


def test_a_connection_that_closes_on_a_path_that_is_not_validated() -> None:
    pair = make_pair().open()
    pair.network.run_for(2.0)
    spoof = Spoofer(pair.network, pair.server)
    spoof.send(newest_packet(pair, 60))
    assert pair.accepted.address == VICTIM
    pair.accepted.close(0, "a reason " * 50, pair.network.now)
    pair.accepted.touch()
    spoof.wait(1.0)
    for _ in range(10):
        spoof.send(newest_packet(pair, 60))
        spoof.wait(0.5)


def test_everything_at_once() -> None:
    spoof = spoofer(script=Script(server_size=9000))
    random = Random(1)
    for number in range(1000):
        kind = random.randrange(5)
        name = b"%08d" % random.randrange(50)
        if kind == 0:
            spoof.send(knock(name))
        elif kind == 1:
            spoof.send(unknown())
        elif kind == 2:
            spoof.send(bytes((c.FIXED_BIT,)) + random.randbytes(random.randint(8, 1300)))
        elif kind == 3:
            spoof.send(bytes((0xC0 | random.randrange(64),)) + random.randbytes(random.randint(1, 1300)))
        else:
            damaged = bytearray(knock(name))
            damaged[random.randrange(1200)] ^= 1 << random.randrange(8)
            spoof.send(bytes(damaged))
        if not number % 50:
            spoof.wait(1.0)
    spoof.wait(20.0)
    assert spoof.node.endpoint.connections == 0
