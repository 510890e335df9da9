"""Channels that contend for the next packet: opens them, gives them data, and says who was let in.

Owns: what the tests of the scheduler, of priorities and of kept credit share. May not know: what is right.
"""

from __future__ import annotations

from typing import Any

from core.pump import SEGMENT_SIZE, Pump
from fastmux import constants as c

LEVEL = c.PRIORITY_WEIGHTS  # added to a priority, it makes the next level
PLENTY = 1 << 40
WIDE = {"max_data": PLENTY, "max_channel_data": PLENTY, "max_streams": 20_000, "max_message_channels": 20_000}
KINDS = [c.KIND_STREAM, c.KIND_MESSAGE]
PIECE = bytes(1 << 20)


def put(pump: Pump, channel: int, size: int) -> None:
    if channel >> 1 & 1 == c.KIND_STREAM:
        pump.client.write(channel, bytes(size))
    else:
        for _ in range(max(1, size // 50_000)):
            pump.client.send_message(channel, bytes(min(size, 50_000)), pump.now)


def open_all(pump: Pump, priorities: list[int], kinds: list[int] | None = None) -> list[int]:
    """Channels of these priorities (streams, or of these kinds in turn), opened and acknowledged."""
    chosen = kinds or [c.KIND_STREAM]
    channels = [
        pump.client.open(chosen[place % len(chosen)], b"", priority)
        for place, priority in enumerate(priorities)
    ]
    pump.pump()
    return channels


def data_of(frames: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [frame for frame in frames if frame[0] in (c.FRAME_STREAM, c.FRAME_MESSAGE)]


def order(pump: Pump) -> list[int]:
    """The channels of the frames of data that a train of ten packets carries."""
    return [frame[1] for frame in data_of(pump.frames(pump.client))]


def firsts(seen: list[int]) -> list[int]:
    """Each channel once, in the order in which they first come."""
    return list(dict.fromkeys(seen))


def sent_sizes(pump: Pump, channels: list[int], packets: int, limit: int = PLENTY) -> list[int]:
    """What each channel sends in so many packets that nobody receives."""
    before = [pump.client.unsent_size(channel) for channel in channels]
    buffer = bytearray(SEGMENT_SIZE * 50)
    while packets:
        train = memoryview(buffer)[: SEGMENT_SIZE * min(50, packets)]
        _, segments = pump.client.fill(train, SEGMENT_SIZE, limit, pump.now)
        assert segments, "nothing is left to send"
        packets -= segments
    return [size - pump.client.unsent_size(channel) for channel, size in zip(channels, before, strict=True)]
