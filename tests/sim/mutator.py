"""An end that has the keys and breaks the rules: what it sends is changed before it is sealed.

Owns: which datagram is changed and how. May not know: what the other end makes of it. Whatever comes of it is
authentic: the changed payload is sealed again under the sender's own keys.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Any, Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from sim.wiretap import Packet, Wiretap

Tell = Callable[[bytes, int, bytes], None]
LARGEST: Final = c.MAX_UDP_PAYLOAD - 100  # bytes of a payload that fits a datagram
MAX_PAYLOAD: Final = 1100  # bytes of what is made up: it passes every path
REMEMBERED: Final = 32  # payloads of before
FLOOD_SIZE: Final = 200  # packets
_EDGES: Final = (0, 1, 2, 3, 63, 64, 255, 256, 1000, 16383, 16384, 65535, 1 << 20, 1 << 30, (1 << 62) - 1)


class Change(Enum):
    """How a payload is changed."""

    FIELD = "one integer of one frame is another"
    BITS = "some bytes are others"
    INSERT = "a frame is added that means something"
    REPEAT = "a frame comes twice"
    LEAVE_OUT = "a frame is missing"
    SWAP = "the frames are in another order"
    OLD = "a payload of before comes under a new number"
    CUT = "the payload ends early"
    NOISE = "the payload is random"
    NUMBER = "the packet number is another"
    FLOOD = "a frame comes in a great many packets"
    HANDSHAKE = "a byte of a handshake packet is another"


@dataclass(frozen=True, slots=True)
class Strike:
    """The application packet number `index` of the hostile end is changed (a HANDSHAKE strike: the handshake
    packet of that number); `seed` is the dice.
    """

    index: int
    change: Change
    seed: int


@dataclass(frozen=True, slots=True)
class Hostility:
    """The end with this role is hostile."""

    role: int
    strikes: tuple[Strike, ...]


class Mutator:
    """Changes what one end sends. `tap` opens it; `__call__` is the node's `tamper`. `tell(data, number,
    payload)` is told of every application packet that goes, `made_size` bytes in all.

    Invariant: `_above` is how far numbers were moved up: later packets go on from there, as an end would
    whose numbers rise.
    """

    def __init__(self, tap: Wiretap, strikes: tuple[Strike, ...], tell: Tell) -> None:
        self.made_size = 0
        self._tap = tap
        self._tell = tell
        self._strikes = {(strike.change is Change.HANDSHAKE, strike.index): strike for strike in strikes}
        self._counts = [0, 0]  # of application packets, of handshake packets
        self._above = 0
        self._old: deque[bytes] = deque(maxlen=REMEMBERED)

    @property
    def is_over(self) -> bool:
        """True once every strike at application packets is behind."""
        return not any(not is_handshake for is_handshake, _ in self._strikes)

    def __call__(self, data: bytes) -> list[bytes]:
        """Give what is sent in the place of a datagram."""
        is_handshake = bool(data[0] & c.FORM_LONG)
        index = self._counts[is_handshake]
        self._counts[is_handshake] += 1
        strike = self._strikes.pop((is_handshake, index), None)
        if is_handshake:
            return [data if strike is None else _flip(data, Random(strike.seed))]
        packet = self._tap.open(data)
        if packet is None:
            return [data]
        self._old.append(packet.payload)
        if strike is not None:
            return self._strike(strike, packet)
        if self._above:
            return [self._seal(packet.number + self._above, packet, packet.payload)]
        self._note(data, packet.number, packet.payload)
        return [data]

    def _strike(self, strike: Strike, packet: Packet) -> list[bytes]:
        random = Random(strike.seed)
        number = packet.number + self._above
        if strike.change is Change.NUMBER:
            self._above += (1 << random.randrange(20)) - 1
            number += random.choice((self._above, -1, -number // 2, 1 << 31))
            return [self._seal(max(number, 0), packet, packet.payload)]
        if strike.change is Change.FLOOD:
            payload = _made_up(random, packet)
            self._above += FLOOD_SIZE
            return [self._seal(number + n, packet, payload) for n in range(FLOOD_SIZE + 1)]
        payload = self._changed(strike.change, packet.payload, random)
        return [self._seal(number, packet, payload[:LARGEST])]

    def _seal(self, number: int, packet: Packet, payload: bytes) -> bytes:
        data = self._tap.seal(number, packet, payload)
        self._note(data, number, payload)
        return data

    def _note(self, data: bytes, number: int, payload: bytes) -> None:
        self.made_size += len(data)
        self._tell(data, number, payload)

    def _changed(self, change: Change, payload: bytes, random: Random) -> bytes:
        if change is Change.BITS:
            return _flip(payload, random) if payload else payload
        if change is Change.CUT:
            return payload[: random.randrange(len(payload) + 1)]
        if change is Change.NOISE:
            return random.randbytes(random.randint(0, MAX_PAYLOAD))
        if change is Change.OLD:
            return self._old[random.randrange(len(self._old))]
        frames = _parse(payload)
        if not frames or change is Change.HANDSHAKE:
            return payload
        place = random.randrange(len(frames))
        if change is Change.FIELD:
            frames[place] = _with_other_field(frames[place], random)
        elif change is Change.REPEAT:
            frames[place:place] = [frames[place]] * random.choice((1, 1, 5))
        elif change is Change.LEAVE_OUT:
            del frames[place]
        elif change is Change.SWAP:
            random.shuffle(frames)
        else:
            frames.insert(place, _frame(random, frames))
        return _encode(frames)


def _parse(payload: bytes) -> list[Any]:
    try:
        return list(core.parse_frames(payload))
    except ProtocolError:
        return []


def _encode(frames: list[Any]) -> bytes:
    """The frames that can be written at all."""
    found = b""
    for frame in frames:
        try:
            found += core.encode_frame(frame)
        except (ValueError, OverflowError, TypeError, ProtocolError):
            continue  # no such frame exists: fields out of range
    return found


def _flip(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        changed[random.randrange(len(changed))] ^= random.randint(1, 255)
    return bytes(changed)


def _number(random: Random, near: int) -> int:
    if random.random() < 0.5:
        return max(near + random.choice((-1, 1, -4, 4, random.randint(-1000, 1000))), 0)
    return random.choice(_EDGES)


def _with_other_field(frame: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    """One integer of the frame, or of its ranges, is another."""
    if frame[0] == c.FRAME_ACK and random.random() < 0.8:
        ranges = [list(pair) for pair in frame[2]]
        pair = random.choice(ranges)
        side = random.randrange(2)
        pair[side] = _number(random, pair[side])
        ordered = sorted((start, stop) for start, stop in ranges if start < stop)
        return (frame[0], frame[1], tuple(reversed(ordered)))
    sized = frame[0] != c.FRAME_PADDING  # whose field is how long it is
    places = [place for place in range(1, len(frame)) if sized and type(frame[place]) is int]
    if not places:
        return frame
    place = random.choice(places)
    return (*frame[:place], _number(random, frame[place]), *frame[place + 1 :])


def _channel(random: Random, frames: list[Any]) -> int:
    known = [frame[1] for frame in frames if frame[0] in _OF_CHANNELS]
    return random.choice(known) if known and random.random() < 0.6 else random.randrange(48)


def _made_up(random: Random, packet: Packet) -> bytes:
    """A payload of a few frames, mostly one kind, for a flood."""
    frame = _frame(random, _parse(packet.payload))
    return _encode([frame] * random.choice((1, 1, 10)))[:MAX_PAYLOAD] or b"\x01"


def _frame(random: Random, frames: list[Any]) -> tuple[Any, ...]:
    """A frame of any kind, about what is going on."""
    return random.choice(_MAKERS)(random, _channel(random, frames))


def _open(random: Random, channel: int) -> tuple[Any, ...]:
    value = _number(random, 100)
    return (c.FRAME_OPEN, channel, random.randrange(256), True, random.randrange(4), value, b"made up")


def _ack(random: Random, channel: int) -> tuple[Any, ...]:
    start = _number(random, 20)
    return (c.FRAME_ACK, random.choice((0.0, 0.001, 100.0)), ((start, start + 1 + random.choice(_EDGES)),))


def _new_id(random: Random, channel: int) -> tuple[Any, ...]:
    sequence = random.choice((0, 1, 2, 3, 5, 100))
    retired = random.choice((0, sequence))
    return (
        c.FRAME_NEW_ID,
        sequence,
        retired,
        random.randbytes(random.choice((8, 8, 4))),
        random.randbytes(16),
    )


def _text(random: Random, size: int) -> bytes:
    return bytes(random.choice((0, 1, size)))


_OF_CHANNELS: Final = (c.FRAME_STREAM, c.FRAME_MESSAGE, c.FRAME_OPEN, c.FRAME_RESET, c.FRAME_STOP)
_MAKERS: Final[tuple[Callable[[Random, int], tuple[Any, ...]], ...]] = (
    _open,
    _ack,
    _new_id,
    lambda r, n: (c.FRAME_PING,),
    lambda r, n: (c.FRAME_HANDSHAKE_DONE,),
    lambda r, n: (c.FRAME_STREAM, n, _number(r, 1000), _text(r, 500), r.random() < 0.3),
    lambda r, n: (c.FRAME_MESSAGE, n, _number(r, 3), _number(r, 3), _number(r, 5), _text(r, 384)),
    lambda r, n: (c.FRAME_MESSAGE_FIN, n, _number(r, 5)),
    lambda r, n: (c.FRAME_MESSAGE_ABANDON, n, ((_number(r, 3), _number(r, 4)),)),
    lambda r, n: (c.FRAME_DATAGRAM, _text(r, 900)),
    lambda r, n: (c.FRAME_RESET, n, _number(r, 1), _number(r, 1000), _number(r, 1000)),
    lambda r, n: (c.FRAME_STOP, n, _number(r, 1)),
    lambda r, n: (c.FRAME_MAX_DATA, _number(r, 100_000)),
    lambda r, n: (c.FRAME_MAX_CHANNEL_DATA, n, _number(r, 65536)),
    lambda r, n: (c.FRAME_MAX_CHANNELS, r.randrange(2), _number(r, 100)),
    lambda r, n: (c.FRAME_DATA_BLOCKED, _number(r, 1000)),
    lambda r, n: (c.FRAME_CHANNEL_DATA_BLOCKED, n, _number(r, 1000)),
    lambda r, n: (c.FRAME_CHANNELS_BLOCKED, r.randrange(2), _number(r, 1000)),
    lambda r, n: (c.FRAME_RETIRE_ID, _number(r, 1)),
    lambda r, n: (c.FRAME_PATH_CHALLENGE, r.randbytes(8)),
    lambda r, n: (c.FRAME_PATH_RESPONSE, r.randbytes(8)),
    lambda r, n: (c.FRAME_ACK_FREQUENCY, _number(r, 1), _number(r, 3), _number(r, 25000), _number(r, 3)),
    lambda r, n: (c.FRAME_CONNECTION_CLOSE, _number(r, 2), b"made up"),
    lambda r, n: (c.FRAME_HANDSHAKE, _number(r, 2), b"made up"),
    lambda r, n: (c.FRAME_EXTENSION_FIRST, b"made up"),
)
