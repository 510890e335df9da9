"""T7: the handshake of two ends, with somebody on the path who may do anything to a datagram.

Owns: what the input means: what becomes of one datagram after the other. The high nibble of a byte: up to 7
it arrives; 8 it is lost; 9 it comes twice; A it waits for the next one; B one byte is changed (two bytes say
where, one how); C it is cut to so many; D, E its frames are changed or added to, and it is sealed again (who
saw the first id can); F time passes, or a datagram of the input's own arrives. When the input is over,
everything arrives. May not know: TLS; a script stands for it.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

from fastmux import constants as c
from fastmux import core as chosen_core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.endpoint import Endpoint
from fastmux.protocol.events import Address, Closed, Event, Opened
from fastmux.protocol.initial_keys import initial_protection
from fuzz.targets.cursor import Cursor
from protocol.scripted import Script, ScriptedHandshake

CLIENT: Address = ("10.0.0.1", 1111)
SERVER: Address = ("10.0.0.2", 4433)
_SCRIPTS = (
    Script(),
    Script(hello_size=1500, server_size=5000, finish_size=3000),
    Script(suite=c.SUITE_AES_128_GCM),
    Script(hello_size=20, server_size=20, finish_size=20),
)
_MAX_STEPS = 600
_PATIENCE = 40.0  # seconds: more than any handshake may take
_ADDRESS_OF = {"client": CLIENT, "server": SERVER}


class Side:
    """One end: its endpoint, its connections' events, the datagrams that it sends."""

    def __init__(self, name: str, script: Script, seed: int) -> None:
        self.name = name
        dice = random.Random(seed)
        accept = None if name == "client" else lambda: ScriptedHandshake(False, script)
        self.endpoint = Endpoint(Configuration(), random_bytes=dice.randbytes, accept=accept)
        self.connections: dict[Connection, list[Event]] = {}
        self._buffer = bytearray(65536)
        self.received_size = self.sent_size = 0

    def receive(self, datagram: bytes, now: float) -> None:
        """A datagram from the other end's address."""
        self.received_size += len(datagram)
        source = SERVER if self.name == "client" else CLIENT
        self.endpoint.receive(bytearray(datagram), len(datagram), len(datagram), source, now)

    def drive(self, now: float) -> list[bytes]:
        """Events, then everything that may be sent."""
        sent: list[bytes] = []
        for _ in range(100):
            for connection in self.endpoint.take_accepted():
                self.connections.setdefault(connection, [])
            touched = self.endpoint.take_touched()
            for connection in touched:
                events = self.connections.setdefault(connection, [])
                while (transmit := connection.transmit(self._buffer, now)) is not None:
                    step = transmit.segment_size
                    for at in range(0, transmit.size, step):
                        sent.append(bytes(self._buffer[at : min(at + step, transmit.size)]))
                while (event := connection.next_event()) is not None:
                    events.append(event)
            while (transmit := self.endpoint.transmit(self._buffer, now)) is not None:
                sent.append(bytes(self._buffer[: transmit.size]))
            if not touched:
                self.sent_size += sum(map(len, sent))
                return sent
        raise AssertionError(f"the {self.name} is touched again and again")

    def end(self, connection: Connection) -> str:
        """What became of a connection."""
        names = [type(event).__name__ for event in self.connections[connection]]
        errors = [
            type(event.error).__name__ for event in self.connections[connection] if isinstance(event, Closed)
        ]
        assert names.count("Opened") <= 1 and names.count("Closed") <= 1
        return "+".join(["open" if "Opened" in names else "never open", *errors])


class World:
    """Both ends, the datagrams on their way in order, and a clock."""

    def __init__(self, first: int) -> None:
        self.script = _SCRIPTS[first & 3]
        self.sides = {name: Side(name, self.script, seed) for seed, name in enumerate(_ADDRESS_OF)}
        self.now = 100.0
        self.wire: deque[tuple[str, bytes]] = deque()
        handshake = ScriptedHandshake(True, self.script)
        self.client = self.sides["client"].endpoint.connect(SERVER, handshake, self.now)
        self.sides["client"].connections[self.client] = []
        self.first_id = self.client.ids.first
        self.is_forged = False
        self.drive()

    def drive(self) -> None:
        """Both ends act; what they send is on its way."""
        for name, other in (("client", "server"), ("server", "client")):
            for datagram in self.sides[name].drive(self.now):
                self.wire.append((other, datagram))

    def arrive(self, target: str, datagram: bytes) -> None:
        """One datagram arrives."""
        self.sides[target].receive(datagram, self.now)
        self.drive()
        server = self.sides["server"]
        if not self.is_forged and not any(connection.has_opened for connection in server.connections):
            assert server.sent_size <= 3 * server.received_size, "the server sent too much to a stranger"

    def pass_time(self, seconds: float) -> None:
        """The timers that are due within so many seconds."""
        until = self.now + seconds
        for _ in range(_MAX_STEPS):
            deadlines = [side.endpoint.deadline() for side in self.sides.values()]
            at = min((at for at in deadlines if at is not None), default=None)
            if at is None or at > until or self.wire:
                break
            self.now = max(self.now, at)
            for side in self.sides.values():
                side.endpoint.handle_timeout(self.now)
            self.drive()
        else:
            raise AssertionError("the clock stands still")
        if not self.wire:
            self.now = max(self.now, until)

    def sealed_again(self, target: str, datagram: bytes, cursor: Cursor, is_added: bool) -> bytes:
        """The same packet with other frames, sealed with the keys of the handshake; itself if it is none."""
        try:
            header = chosen_core.parse_long_header(datagram, 0, len(datagram))
        except ProtocolError:
            return datagram
        head = datagram[: header.header_size]
        protection = initial_protection(self.first_id, target == "server")[0]
        payload = protection.open(header.packet_number, head, datagram[header.header_size :])
        if payload is None:
            return datagram
        changed = bytearray(payload)
        if is_added:
            piece = cursor.take(cursor.byte())
            changed = bytearray(piece) + changed[: max(len(changed) - len(piece), 0)]
        else:
            changed[cursor.word() % len(changed)] ^= cursor.byte()
        return head + protection.seal(header.packet_number, head, bytes(changed))

    def fate(self, what: int, cursor: Cursor) -> None:
        """What becomes of the next datagram."""
        if not self.wire:
            self.pass_time(1.0)
        if what >= 0xF0:
            self._of_its_own(what, cursor)
            return
        if not self.wire:
            return
        target, datagram = self.wire.popleft()
        kind = what >> 4
        if kind == 8:
            return
        if kind == 0xA:
            self.wire.insert(min(1, len(self.wire)), (target, datagram))
            return
        self.is_forged |= kind > 0xA
        if kind == 0xB:
            changed = bytearray(datagram)
            changed[cursor.word() % len(changed)] ^= cursor.byte()
            datagram = bytes(changed)
        elif kind == 0xC:
            datagram = datagram[: max(cursor.word() % len(datagram), 1)]
        elif kind >= 0xD:
            datagram = self.sealed_again(target, datagram, cursor, kind == 0xE)
        self.arrive(target, datagram)
        if kind == 9:
            self.arrive(target, datagram)

    def _of_its_own(self, what: int, cursor: Cursor) -> None:
        """Time, or bytes of the input; 0xFE and 0xFF put the connection ids in."""
        if what < 0xF8:
            self.pass_time(0.1 * (what & 7))
            return
        target = "server" if what & 1 else "client"
        piece = cursor.take(cursor.byte())
        if what >= 0xFE:
            mine = self.client.ids.local if target == "client" else self.first_id
            other = self.first_id if target == "client" else self.client.ids.local
            ids = bytes((len(mine),)) + mine + bytes((len(other),)) + other
            piece = piece[:5] + ids + piece[5:]
        if piece:
            self.is_forged = True
            self.arrive(target, piece)

    def finish(self) -> None:
        """Everything arrives from now on, until both ends know how it ended."""
        until = self.now + _PATIENCE
        for _ in range(_MAX_STEPS):
            if self.wire:
                self.arrive(*self.wire.popleft())
            elif self.is_settled() or self.now >= until:
                return
            else:
                self.pass_time(1.0)

    def is_settled(self) -> bool:
        """True once every connection opened or ended."""
        return all(
            any(isinstance(event, (Opened, Closed)) for event in events)
            for side in self.sides.values()
            for events in side.connections.values()
        )

    def check_agreement(self) -> None:
        """Where both ends are open, a byte that one writes is read at the other."""
        opened = [end for end in self.sides["server"].connections if end.is_open and not end.is_closed]
        if len(opened) != 1 or not self.client.is_open or self.client.is_closed:
            return
        channel = self.client.data_path.open(c.KIND_STREAM)
        self.client.data_path.write(channel, b"!")
        self.client.touch()
        self.drive()
        for _ in range(100):
            if self.wire:
                self.arrive(*self.wire.popleft())
                continue
            try:
                if opened[0].data_path.read(channel, 10) == b"!":
                    return
            except KeyError:
                pass_on = self.now
                self.pass_time(0.5)
                assert self.now > pass_on or self.wire
        raise AssertionError("both ends are open and do not understand each other")


def replay(core: Any, data: bytes) -> list[Any]:
    """How both ends ended, and what the endpoints counted. `core` is the one chosen for the process."""
    cursor = Cursor(data)
    world = World(cursor.byte())
    while cursor.left > 0:
        world.fate(cursor.byte(), cursor)
    world.finish()
    assert world.is_settled(), "an end neither opened nor gave up"
    ends = [[side.end(connection) for connection in side.connections] for side in world.sides.values()]
    if not world.is_forged:
        assert len(ends[1]) <= 1
    world.check_agreement()
    return [ends, *(side.endpoint.counters() for side in world.sides.values())]


def signature(result: list[Any]) -> object:
    """The ends, and which counters are not zero."""
    return repr(
        (result[0], [sorted(key for key, count in counters.items() if count) for counters in result[1:]])
    )


def seeds() -> list[bytes]:
    """Everything arrives; single things go wrong."""
    close = chosen_core.encode_frame((c.FRAME_CONNECTION_CLOSE, c.HANDSHAKE_FAILED + 42, b"no"))
    ack = chosen_core.encode_frame((c.FRAME_ACK, 0.0, ((0, 1),)))
    bomb = chosen_core.encode_frame((c.FRAME_HANDSHAKE, 60_000, bytes(40)))
    negotiation = b"\xc0" + bytes(4)
    pieces = [bytes((0xE0, len(frame))) + frame for frame in (close, ack, bomb, b"\x08", b"\x01")]
    fates = [b"\x80", b"\x90", b"\xa0", b"\xb0\0\x07\x01", b"\xc0\0\x64", b"\xd0\0\x09\x01", b"\xf3", *pieces]
    singles = [bytes((first,)) + fate for first in range(4) for fate in fates]
    late = [b"\0" + bytes(count) + fate for count in (1, 2, 4) for fate in fates]
    forged = bytes((0xFE, 9)) + negotiation + b"\x1a\x2a\x3a\x4a"
    return [b"\0", b"\x01", *singles, *late, b"\0" + forged]
