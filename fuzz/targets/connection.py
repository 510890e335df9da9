"""T6: a connection after the handshake: frames as if they had been opened, in whatever state it is.

Owns: what the input means. The first byte says which end and which limits. Then, for a byte below 0x80, a
packet of the peer: bits 0 to 2 its number (0 to 4 the next, 5 one left out, 6 the last again, 7 far ahead),
bit 3 a size of two bytes rather than one, bits 4 and 5 together a byte for its first byte; size and payload
follow. From 0x80 on it is a call of the application: the low five bits say which, two bytes are its
arguments. The null suite seals packets, so that any input is authentic. A broken rule ends the connection.
May not know: which core it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from fastmux import constants as c
from fuzz.targets.cursor import Cursor, Outcome, outcome, patterns

LOCAL_ID, REMOTE_ID = b"local-id", b"peer-id-"
_IV = bytes(c.IV_SIZE)
_BUFFER_SIZE = 6000
_GREEDY = 40_000
_KEPT = 64  # channel ids that the application remembers
_WIDE = {
    "max_data": 200_000,
    "max_channel_data": 30_000,
    "max_streams": 20,
    "max_message_channels": 20,
    "max_message_size": 20_000,
    "max_datagram_frame_size": 1000,
}
_NARROW = {
    "max_data": 3000,
    "max_channel_data": 1200,
    "max_streams": 2,
    "max_message_channels": 2,
    "max_message_size": 600,
    "max_datagram_frame_size": 50,
}
_NO_MESSAGES = {**_WIDE, "max_message_channels": 0, "max_message_size": 0, "max_datagram_frame_size": 0}
_LIMITS = (_WIDE, _NARROW, _NO_MESSAGES, {**_WIDE, "max_data": 100_000_000, "max_message_size": 10_000_000})
_FIGURES = ("bytes_in_flight", "has_pending", "has_news", "is_idle", "held_size", "channel_count")


class Session:
    """One connection, its application, and the peer's packet numbers."""

    def __init__(self, core: Any, first: int) -> None:
        limits = _LIMITS[first >> 1 & 3]
        self.core = core
        self.path = core.DataPath(
            bool(first & 1),
            LOCAL_ID,
            write_limit=5000,
            budget=60_000 if first & 8 else 2**26,
            initial_packet_number=c.MAX_PACKET_NUMBER - 99 if first & 64 else 0,
            **limits,
        )
        self.path.set_keys(c.SUITE_NULL, b"", _IV, b"", _IV)
        self.path.set_peer(REMOTE_ID, **_LIMITS[first >> 4 & 3])
        self.next_number = 0
        self.now = 10.0
        self.channels: list[int] = []
        self.trace: list[Any] = []
        self.is_over = False
        self.buffer = bytearray(_BUFFER_SIZE)

    # --- the peer -------------------------------------------------------------------------------------

    def packet(self, first: int, cursor: Cursor) -> None:
        """Seals a payload and lets it arrive."""
        mode = first & 7
        number = self.next_number
        if mode == 5:
            number += 1
        elif mode == 6:
            number = max(number - 1, 0)
        elif mode == 7:
            number += 1000
        flags = cursor.byte() & 0x3F if first & 0x30 == 0x30 else 0
        payload = cursor.take(cursor.word() if first & 8 else cursor.byte())
        header = bytes((c.FIXED_BIT | flags,)) + LOCAL_ID + (number & 0xFFFFFFFF).to_bytes(4, "big")
        nonce = bytes(4) + number.to_bytes(8, "big")
        tag = zlib.crc32(nonce + header + payload).to_bytes(4, "big") + nonce
        datagram = header + payload + tag
        self.next_number = max(self.next_number, number + 1)
        before = self.path.held_size, self.path.channel_count
        result = outcome(self.path.receive, datagram, 0, len(datagram), len(datagram), self.now)
        self.trace.append(result)
        if result[0] == "value":
            assert result[1] == len(datagram), "a packet of ours was not taken"
        else:
            assert result[0] == "ProtocolError", result
            assert before == (self.path.held_size, self.path.channel_count), "a refused packet left something"
            self.is_over = True

    # --- the application ------------------------------------------------------------------------------

    def call(self, what: int, one: int, two: int) -> None:
        """One call; what it comes to goes into the trace."""
        self.trace.append(outcome(_CALLS[what], self, one, two))

    def channel(self, one: int) -> int:
        """A channel that is known, or an id that may be none."""
        if one < 0xF0 and self.channels:
            return self.channels[one % len(self.channels)]
        return one & 0x0F

    def know(self, channel_id: int) -> None:
        """Remembers an id."""
        if channel_id not in self.channels and len(self.channels) < _KEPT:
            self.channels.append(channel_id)

    def open(self, one: int, two: int) -> int:
        """A channel of ours."""
        fields = one & 1, b"label", two, bool(one & 2), one >> 2 & 3, one >> 4
        channel_id: int = self.path.open(*fields)
        self.know(channel_id)
        return channel_id

    def fill(self, one: int, two: int) -> tuple[int, int, bytes]:
        """A train of ours, which nobody receives."""
        limit = (0, 1200, 5000, 2**20)[one & 3]
        size, segments = self.path.fill(self.buffer, (600, 1200, 1452, 2000)[two & 3], limit, self.now)
        assert 0 <= size <= _BUFFER_SIZE
        return size, segments, bytes(self.buffer[:size])

    def wait(self, one: int, two: int) -> Any:
        """Time passes."""
        self.now += one * (0.2 if two & 1 else 0.002)
        self.path.detect_losses(self.now)
        self.path.expire(self.now)
        return self.path.deadlines()

    def credit(self, one: int, two: int) -> Any:
        """Gives the credit that is asked for."""
        listed = self.path.take_credit()
        for channel_id, consumed, charged, limit in listed:
            assert 0 <= consumed <= charged
            window = _GREEDY if one & 1 else limit - consumed
            outcome(self.path.set_limit, channel_id, max(limit, consumed + window), window)
        return listed

    def ready(self, one: int, two: int) -> Any:
        """What is new; the peer's channels become known."""
        listed = self.path.take_ready()
        for channel_id, flags in listed:
            if flags & c.READY_OPENED:
                self.know(channel_id)
        return listed

    def read_into(self, one: int, two: int) -> tuple[int, bytes]:
        """Reads into a buffer of the application."""
        target = bytearray(two * 8)
        return self.path.read_into(self.channel(one), target), bytes(target)

    def build(self, one: int, two: int) -> tuple[int, bytes]:
        """A packet of a PING, as an MTU probe is."""
        size = self.path.build_packet(self.buffer, b"\x01", one * 8, two, self.now)
        return size, bytes(self.buffer[:size])

    def look(self, one: int, two: int) -> list[Outcome]:
        """Everything that only looks."""
        names = ("open_fields", "unsent_size", "readable_size", "is_finished", "reset_code", "stop_code")
        return [outcome(getattr(self.path, name), self.channel(one)) for name in names]

    # --- the end --------------------------------------------------------------------------------------

    def figures(self) -> list[Any]:
        """What the path says of itself."""
        return [getattr(self.path, name) for name in _FIGURES] + [self.path.counters(), self.path.deadlines()]


def _data(one: int, two: int) -> bytes:
    return patterns[one & 7][: two * (two >> 4)]


_CALLS: tuple[Callable[[Session, int, int], Any], ...] = (
    Session.open,
    lambda s, one, two: s.path.write(s.channel(one), _data(one, two)),
    lambda s, one, two: s.path.send_message(s.channel(one), _data(one, two), s.now),
    lambda s, one, two: s.path.send_messages(s.channel(one), [_data(one, two)] * (two & 7), s.now),
    lambda s, one, two: s.path.finish(s.channel(one)),
    lambda s, one, two: s.path.reset(s.channel(one), two),
    lambda s, one, two: s.path.stop(s.channel(one), two),
    lambda s, one, two: s.path.release(s.channel(one)),
    lambda s, one, two: s.path.read(s.channel(one), two * 32),
    Session.read_into,
    lambda s, one, two: s.path.take_message(s.channel(one)),
    lambda s, one, two: s.path.take_messages(s.channel(one), two),
    lambda s, one, two: s.path.watch_delivered(s.channel(one)),
    lambda s, one, two: s.path.set_priority(s.channel(one), two),
    Session.fill,
    lambda s, one, two: s.path.probe(one & 3),
    Session.wait,
    Session.credit,
    lambda s, one, two: s.path.set_limit(s.channel(one), two * 256, two * 128),
    Session.ready,
    lambda s, one, two: s.path.take_control(),
    lambda s, one, two: s.path.take_datagrams(),
    lambda s, one, two: s.path.send_datagram(_data(one, two)),
    lambda s, one, two: s.path.queue_control(one, b"\x32" + bytes(8)),
    lambda s, one, two: s.path.skip_packet_number(),
    lambda s, one, two: s.path.set_ack_policy(one & 15, two / 256, one >> 4),
    lambda s, one, two: s.path.take_ack_summary(),
    lambda s, one, two: s.path.set_channel_limit(one & 1, two),
    Session.build,
    Session.look,
    lambda s, one, two: s.path.set_limit(c.CONNECTION_CHANNEL, one * 1000, two * 500),
    Session.fill,
)


def run(core: Any, data: bytes, check: Callable[[Any], None] | None = None) -> Session:
    """Everything that the input says, to its end or that of the connection; the path is left open."""
    cursor = Cursor(data)
    session = Session(core, cursor.byte())
    while cursor.left > 0 and not session.is_over:
        first = cursor.byte()
        if first < 0x80:
            session.packet(first, cursor)
        else:
            session.call(first & 0x1F, cursor.byte(), cursor.byte())
        if check is not None:
            check(session.path)
    return session


def replay(core: Any, data: bytes) -> list[Any]:
    """Every result, and the figures at the end; afterwards the core holds what it held before."""
    before = core.live()
    session = run(core, data, getattr(core, "check_connection", None))
    trace = [*session.trace, session.figures()]
    session.path.close()
    assert core.live() == before, f"left over: {core.live()}, before: {before}"
    return trace


def seeds() -> list[bytes]:
    """Frames of every kind, at both ends, alone and in the states where they matter."""
    from core.frame_examples import EXAMPLES

    forms = [bytes.fromhex(form) for _, form in EXAMPLES]
    singles = [bytes((first, 0, len(form))) + form for form in forms for first in (0, 1)]
    stream = b"\x12\x04\x00\x05hello"
    opened = b"\x20\x04\x00\x00\x00\x01s"
    told = bytes((0x93, 0, 0))
    fill = bytes((0x8E, 3, 1))
    acked = b"\x00\x05\x02\x00\x00\x00\x00"
    message = b"\x00\x09\x20\x06\x00\x01\x00\x01m"
    talk = [
        b"\x00" + b"\x00\x0f" + opened + stream + told + b"\x88\x00\xff" + fill + acked,
        b"\x01" + b"\x80\x00\x00" + b"\x81\x00\x83" + fill + acked + b"\x84\x00\x00" + fill + acked,
        b"\x01" + b"\x80\x01\x20" + b"\x82\x00\x83" + fill + acked + b"\x87\x00\x00" + fill,
        b"\x01" + b"\x80\x0d\x00" + b"\x82\x00\x83" * 3 + fill + b"\x90\xff\x01" + fill + acked,
        b"\x00" + message + b"\x00\x0a\x16\x06\x00\x00\x01\x04data" + told + b"\x8a\x00\x00" + fill,
        b"\x02" + message + b"\x00\x07\x14\x06\x01\x00\x02\x01" + b"x" * 0 + told,
        b"\x00"
        + b"\x00\x0f"
        + opened
        + stream
        + told
        + b"\x86\x00\x07"
        + fill
        + b"\x87\x00\x00"
        + fill
        + acked,
    ]
    return [*singles, *talk, b"\x00\x08\x01\x20" + b"".join(forms[:12])]
