"""T8: what comes to an endpoint from strangers: version negotiation, Retry, resets, knocks, rubbish.

Owns: what the input means: datagrams, each a byte of how, two of its size (at most what is left of the input,
then padded with zeros up to it where bit 2 of how is set), and its bytes. Bits 0 and 1 of how: to the server
or the client, from the known peer or a stranger. Bits 3 and 4 put ids of a connection in after the first
bytes. The server has a connection that is open, the client one that is being made: neither may suffer. May
not know: which core it is.
"""

from __future__ import annotations

import random
from typing import Any

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.events import Address
from fastmux.protocol.handshake_packets import HandshakePackets
from fuzz.targets.cursor import Cursor
from protocol.scripted import Script, ScriptedHandshake

CLIENT: Address = ("10.0.0.1", 1111)
SERVER: Address = ("10.0.0.2", 4433)
STRANGER: Address = ("10.9.9.9", 9)
_SCRIPT = Script(suite=c.SUITE_AES_128_GCM)
_MAX_DATAGRAMS = 16


def _endpoint(seed: int, accepts: bool) -> Endpoint:
    accept = (lambda: ScriptedHandshake(False, _SCRIPT)) if accepts else None
    return Endpoint(Configuration(), random_bytes=random.Random(seed).randbytes, accept=accept)


def _exchange(ends: list[tuple[Endpoint, Address]], now: float) -> None:
    """Datagrams go back and forth until there are none."""
    buffer = bytearray(65536)
    for _ in range(50):
        is_quiet = True
        for place, (endpoint, _) in enumerate(ends):
            other, (_, source) = ends[1 - place][0], ends[place]
            for connection in endpoint.take_touched():
                while connection.next_event() is not None:
                    pass
                while (transmit := connection.transmit(buffer, now)) is not None:
                    is_quiet = False
                    other.receive(buffer, transmit.size, transmit.segment_size, source, now)
        if is_quiet:
            return


class World:
    """A server with an open connection, and a client that is connecting to somebody who does not answer."""

    def __init__(self) -> None:
        self.now = 100.0
        self.server, self.client = _endpoint(1, True), _endpoint(2, False)
        self.open_client = self.client.connect(SERVER, ScriptedHandshake(True, _SCRIPT), self.now)
        _exchange([(self.client, CLIENT), (self.server, SERVER)], self.now)
        (self.open_server,) = self.server.take_accepted()
        assert self.open_client.has_opened
        self.connecting = self.client.connect(SERVER, ScriptedHandshake(True, _SCRIPT), self.now)
        _exchange([(self.client, CLIENT), (_endpoint(3, False), SERVER)], self.now)
        self.before = self.server.counters(), self.client.counters()

    def ids(self, how: int) -> bytes:
        """Destination and source as a header of the known peer would have them."""
        mine, other = self.open_server.ids.local, self.open_client.ids.local
        if how & 1:
            mine, other = self.connecting.ids.local, self.connecting.ids.first
            if how & 0x10:
                mine, other = self.open_client.ids.local, self.open_server.ids.local
        if how & 8 and how & 0x20:
            return mine
        return bytes((len(mine),)) + mine + bytes((len(other),)) + other

    def arrive(self, how: int, datagram: bytes) -> int:
        """One datagram; the bytes that it makes an endpoint answer."""
        endpoint = self.client if how & 1 else self.server
        source = STRANGER if how & 2 else (SERVER if how & 1 else CLIENT)
        endpoint.receive(bytearray(datagram), len(datagram), len(datagram), source, self.now)
        buffer, answered = bytearray(65536), 0
        while (transmit := endpoint.transmit(buffer, self.now)) is not None:
            answered += transmit.size
        return answered


class _Kept:
    """The world that inputs share as long as they do not change it: making one takes long."""

    world: World | None = None
    age = 0

    def give(self) -> World:
        """The one from before, or a new one."""
        if self.world is None or self.age >= 500:
            self.world, self.age = World(), 0
        self.age += 1
        return self.world


_kept = _Kept()


def replay(core: Any, data: bytes) -> list[Any]:
    """What the endpoints counted, and what they answered. The world is made anew when it has changed."""
    world, cursor = _kept.give(), Cursor(data)
    before = world.server.counters(), world.client.counters()
    trace: list[Any] = []
    for _ in range(_MAX_DATAGRAMS):
        if cursor.left < 3:
            break
        how, size = cursor.byte(), cursor.word() % 1500
        piece = cursor.take(size)
        if how & 0x18:
            at = 1 if how & 0x20 else 5
            piece = piece[:at] + world.ids(how) + piece[at:]
        if how & 4:
            piece += bytes(max(size - len(piece), 0))
        if not piece:
            continue
        answered = world.arrive(how, piece)
        assert answered <= len(piece), "an answer is longer than what it answers"
        trace.append(answered)
    for connection in (world.open_server, world.open_client):
        assert not connection.is_closed, "a stray closed an open connection"
    after = world.server.counters(), world.client.counters()
    counted = [{key: new[key] - old[key] for key in new} for new, old in zip(after, before, strict=True)]
    ended = world.connecting.is_closed
    if ended or world.server.connections > 1:
        _kept.world = None
    assert world.server.connections <= 1 + len(trace)
    return [trace, *counted, ended]


def signature(result: list[Any]) -> object:
    """Which counters moved, whether anything was answered, whether the client gave up."""
    moved = [sorted(key for key, count in counters.items() if count) for counters in result[1:3]]
    return repr((bool(sum(result[0])), moved, result[3]))


def _input(how: int, datagram: bytes, size: int | None = None) -> bytes:
    length = len(datagram) if size is None else size
    return bytes((how,)) + length.to_bytes(2, "big") + datagram


def knock() -> bytes:
    """A client's first packet, whole."""
    packets = HandshakePackets(
        is_client=True,
        version=_SCRIPT.version,
        local_id=b"stranger",
        remote_id=b"12345678",
        first_id=b"12345678",
    )
    handshake = ScriptedHandshake(True, _SCRIPT)
    handshake.start()
    payload = b"\x07\x00\x06\x00" + bytes((0x41, 0x2C)) + handshake.send()
    return packets.seal(0, payload + bytes(1200 - packets.overhead - len(payload)))


def seeds() -> list[bytes]:
    """One of each kind, to each end, from both; padded to what a server answers."""
    version, unknown = c.VERSION_1.to_bytes(4, "big"), b"\x1a\x2a\x3a\x4a"
    negotiation, served = b"\xc0" + bytes(4) + unknown, b"\xc0" + bytes(4) + version
    retry = b"\xf0" + version + b"token" + bytes(16)
    reset = b"\x40" + bytes(40)
    foreign = b"\x00\x01\x00\x00" + bytes(16)
    plain = b"\xc0" + c.VERSION_PLAINTEXT.to_bytes(4, "big") + b"\x08" + bytes(8) + b"\x08" + bytes(12)
    found = [
        _input(how | more, datagram)
        for datagram in (negotiation, served, retry, reset, foreign, plain)
        for how in range(4)
        for more in (0, 8, 24, 40, 56)
    ]
    strange = b"\xc0" + unknown + b"\x08" + bytes(8) + b"\x08" + bytes(8)
    return [*found, _input(6, strange, 1200), _input(6, plain, 1200), _input(2, knock()), _input(0, knock())]
