"""Sessions of a connection drawn by rule: what changes of single bytes would take long to come upon.

Owns: what a peer may well say, in frames that nearly keep the rules. May not know: what a core makes of it.
The frames are encoded by the pure core; inputs are those of fuzz/targets/connection.py.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from fastmux import _core_py
from fastmux import constants as c
from fuzz.targets.cursor import patterns

Frame = tuple[Any, ...]
_UNIT = c.FRAGMENT_UNIT
_ANY_CALL = 32
_WRITE, _SEND, _FINISH, _RELEASE, _READ, _TAKE, _FILL, _READY = 1, 2, 4, 7, 8, 10, 14, 19
_FREQUENT = (
    _WRITE,
    _WRITE,
    _SEND,
    _SEND,
    _FINISH,
    _RELEASE,
    _READ,
    _TAKE,
    _FILL,
    _FILL,
    _FILL,
    16,
    17,
    _READY,
    15,
)
_BREAKS = 0.02  # so often a rule is broken on purpose


class _Drawer:
    """What the peer and the application have done so far, as far as the rules depend on it."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.first = dice.randrange(64)
        self.role = 0 if self.first & 1 else 1  # of the end that is tested
        limits = 2 if self.first >> 1 & 3 == 1 else 6
        self.limits = (limits, 0 if self.first >> 1 & 3 == 2 else limits)
        self.opened = [0, 0]  # channels of ours, by kind
        self.filled = 0  # trains that had something to send
        self.has_pending = False
        self.ends: dict[int, int] = {}  # where FIN was
        self.counts: dict[tuple[int, int], int] = {}  # units of each message

    def breaks(self) -> bool:
        """True where a rule is to be broken."""
        return self.dice.random() < _BREAKS

    def channel(self, kind: int) -> int:
        """A channel of the peer's, or one of ours that is open."""
        dice = self.dice
        if self.breaks():
            return dice.choice((0, 1, 2, 3, 80, 2**40)) << 2 | dice.randrange(4)
        if self.opened[kind] and dice.random() < 0.4:
            return dice.randrange(self.opened[kind]) << 2 | kind << 1 | self.role
        return dice.randrange(max(self.limits[kind], 1)) << 2 | kind << 1 | 1 - self.role

    def any_channel(self) -> int:
        """One of either kind."""
        return self.channel(self.dice.randrange(2) if self.limits[1] else 0)

    def data(self, size: int) -> bytes:
        """Bytes that another draw has otherwise."""
        return patterns[self.dice.randrange(8)][:size]

    # --- frames -----------------------------------------------------------------------------------------

    def stream(self) -> Frame:
        """Bytes of a stream, in and out of order."""
        dice = self.dice
        channel = self.channel(0)
        offset = dice.choice((0, 0, 1, 5, 10, 50, 100, 500, 1100, 4090, 4096, 8000))
        data = self.data(dice.choice((0, 1, 5, 10, 100, 300)))
        end = self.ends.get(channel, offset + len(data) if dice.random() < 0.1 else 2**60)
        if end < 2**60:
            self.ends[channel] = end
        if offset + len(data) > end and not self.breaks():
            offset = max(end - len(data), 0)
            data = data[: end - offset]
        return (c.FRAME_STREAM, channel, offset, data, offset + len(data) == end)

    def message(self) -> Frame:
        """Units of a message."""
        dice = self.dice
        channel, message_id = self.channel(1), dice.choice((0, 0, 1, 2, 3, 5, 8))
        count = self.counts.setdefault((channel, message_id), dice.choice((1, 1, 2, 3, 4, 4)))
        first = dice.randrange(count)
        units = min(dice.choice((1, 1, 2, count)), count - first)
        size = units * _UNIT - (message_id * 37 % 129 if first + units == count else 0)
        if self.breaks():
            size, count = size + dice.choice((-1, 1, 128)), count + dice.randrange(2)
        return (c.FRAME_MESSAGE, channel, message_id, first, count, self.data(max(size, 0)))

    def abandon(self) -> Frame:
        """Messages given up."""
        dice = self.dice
        channel = self.channel(1)
        ids = sorted({dice.choice((0, 1, 2, 3, 5, 9)) for _ in range(dice.randint(1, 4))})
        entries = tuple(
            (number, self.counts.setdefault((channel, number), dice.randint(1, 4))) for number in ids
        )
        return (c.FRAME_MESSAGE_ABANDON, channel, entries)

    def ack(self) -> Frame:
        """Ranges of what we have probably sent."""
        dice = self.dice
        at = dice.randint(1, max(self.filled, 1)) + (5 if self.breaks() else 0)
        ranges: list[tuple[int, int]] = []
        while at > 0 and len(ranges) < 4:
            start = max(at - dice.randint(1, 4), 0)
            ranges.append((start, at))
            at = start - dice.randint(1, 3)
        return (c.FRAME_ACK, dice.choice((0.0, 0.001)), tuple(ranges))

    def open(self) -> Frame:
        """A channel of the peer's."""
        dice = self.dice
        kind = dice.randrange(2) if self.limits[1] else 0
        channel = dice.randrange(self.limits[kind]) << 2 | kind << 1 | (1 - self.role)
        fields = (
            dice.choice((0, 16, 33, 255)),
            dice.random() < 0.6,
            dice.randrange(4),
            dice.choice((0, 1, 50)),
        )
        return (c.FRAME_OPEN, channel, *fields, b"label")

    def reset(self) -> Frame:
        """The end of a direction at once."""
        dice = self.dice
        channel = self.any_channel()
        if channel >> 1 & 1:
            count = dice.choice((9, 9, 10, 2))
            return (c.FRAME_RESET, channel, dice.randrange(4), count, dice.choice((60, 40, count)) * _UNIT)
        size = self.ends.setdefault(channel, 8300)
        return (c.FRAME_RESET, channel, dice.randrange(4), size, size)

    def finish(self) -> Frame:
        """How many messages there were."""
        return (c.FRAME_MESSAGE_FIN, self.channel(1), self.dice.choice((9, 9, 9, 4, 1)))

    def stop(self) -> Frame:
        """The peer wants no more."""
        return (c.FRAME_STOP, self.any_channel(), self.dice.randrange(4))

    def limit(self) -> Frame:
        """More credit, or more channels."""
        dice = self.dice
        size = dice.choice((0, 100, 1200, 4096, 30_000, 200_000))
        kind = dice.choice((c.FRAME_MAX_DATA, c.FRAME_MAX_CHANNEL_DATA, c.FRAME_MAX_CHANNELS))
        if kind == c.FRAME_MAX_DATA:
            return (kind, size)
        if kind == c.FRAME_MAX_CHANNELS:
            return (kind, dice.randrange(2), dice.choice((0, 1, 3, 30)))
        return (kind, self.any_channel(), size)

    def rare(self) -> Frame:
        """What goes to Python, or nowhere."""
        return self.dice.choice(_RARE)

    # --- records ----------------------------------------------------------------------------------------

    def packet(self) -> bytes:
        """A packet of one to six frames."""
        dice = self.dice
        names = _WITH_MESSAGES if self.limits[1] or self.breaks() else _WITHOUT
        makers = [dice.choice(names) for _ in range(dice.choice((1, 1, 2, 3, 6)))]
        if not self.filled and not self.breaks():
            makers = [_Drawer.open if make is _Drawer.ack else make for make in makers]
        payload = b"".join(_core_py.encode_frame(make(self)) for make in makers)
        how = dice.choice((0, 0, 0, 0, 0, 0, 5, 6, 7)) | 8
        return bytes((how,)) + len(payload).to_bytes(2, "big") + payload

    def call(self) -> bytes:
        """A call of the application."""
        dice = self.dice
        what = dice.choice(_FREQUENT) if dice.random() < 0.75 else dice.randrange(_ANY_CALL)
        one, two = dice.randrange(256), dice.randrange(256)
        if what == 0:  # open
            self.opened[one & 1] += 1
            self.opened[one & 1] = min(self.opened[one & 1], 2)
        if what in (0, _WRITE, _SEND):
            self.has_pending = True
        if what == _FILL:
            one |= 3  # as much as there is
            self.filled += self.has_pending
            self.has_pending = False
        return bytes((0x80 | what, one, two))


_Maker = Callable[[_Drawer], Frame]
_WITHOUT: tuple[_Maker, ...] = (
    *(_Drawer.stream,) * 6,
    *(_Drawer.ack,) * 4,
    *(_Drawer.open,) * 3,
    _Drawer.reset,
    _Drawer.limit,
    _Drawer.limit,
    _Drawer.stop,
    _Drawer.rare,
)
_WITH_MESSAGES: tuple[_Maker, ...] = (
    *_WITHOUT,
    *(_Drawer.message,) * 6,
    *(_Drawer.abandon,) * 2,
    _Drawer.finish,
)
_RARE: tuple[Frame, ...] = (
    (c.FRAME_PING,),
    (c.FRAME_PADDING, 3),
    (c.FRAME_PATH_CHALLENGE, bytes(8)),
    (c.FRAME_PATH_RESPONSE, bytes(8)),
    (c.FRAME_ACK_FREQUENCY, 1, 2, 3000, 1),
    (c.FRAME_DATA_BLOCKED, 5),
    (c.FRAME_CHANNELS_BLOCKED, 0, 5),
    (c.FRAME_NEW_ID, 1, 0, b"new-id--", bytes(16)),
    (c.FRAME_CONNECTION_CLOSE, 10, b"why"),
)


def session(dice: Random) -> bytes:
    """An input of fuzz/targets/connection.py."""
    drawer = _Drawer(dice)
    parts = [bytes((drawer.first,))]
    if dice.random() < 0.7:  # a channel of each kind, and its OPEN on the way
        for kind in (0, 1):
            parts.append(bytes((0x80, kind | dice.choice((0, 2, 4, 8, 12)) | dice.choice((0, 0x20)), 32)))
            drawer.opened[kind] = 1
        parts.append(bytes((0x80 | _FILL, 3, 1)))
        drawer.filled = 1
    for _ in range(dice.randint(3, 40)):
        parts.append(drawer.packet() if dice.random() < 0.5 else drawer.call())
    return b"".join(parts)[:4000]
