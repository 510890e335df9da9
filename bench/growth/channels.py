"""Channels: idle ones, ready ones, ones that want credit, ones that close.

Owns: these dimensions. May not know: how cost is fitted or shown.
"""

from __future__ import annotations

import random
from typing import Final

from bench.growth.fit import DECADES, Dimension, Goal, Probe, Stopwatch
from bench.growth.paths import SHARED, Pair
from fastmux import constants as c

TRAINS: Final = 20  # a reading


def idle_channels(count: int) -> Probe:
    """One stream that carries full trains, among `count` open ones."""
    pair = Pair()
    busy = pair.open_streams(count)[count // 2]
    sink = bytearray(1 << 17)

    def probe() -> float:
        watch, packets = Stopwatch(), 0
        with watch:
            for _ in range(TRAINS):
                while pair.client.unsent_size(busy) < len(pair.buffer):
                    pair.client.write(busy, SHARED)
                packets += pair.carry(pair.client, pair.server)
                pair.server.take_ready()
                while pair.server.read_into(busy, sink) > 0:
                    pass
                pair.carry(pair.server, pair.client)
                pair.client.take_ready()
                pair.client.take_ack_summary()
        return watch.total / packets

    return probe


def idle_question(count: int) -> Probe:
    """`is_idle`, which a graceful close asks with every train, with `count` channels open."""
    pair = Pair()
    pair.open_streams(count)
    repeats = 20

    def probe() -> float:
        with Stopwatch() as watch:
            for _ in range(repeats):
                assert pair.client.is_idle
        return watch.total / repeats

    return probe


def ready_channels(count: int) -> Probe:
    """Full trains from `count` channels that all have more to send than is ever asked for, in turn."""
    pair = Pair()
    for stream in pair.open_streams(count):
        for _ in range(-(-10_000 // count)):
            pair.client.write(stream, SHARED)

    def probe() -> float:
        watch, packets = Stopwatch(), 0
        with watch:
            for _ in range(TRAINS):
                pair.now += 1e-5
                packets += pair.client.fill(pair.buffer, 1452, 1 << 40, pair.now)[1]
        return watch.total / packets

    return probe


def readable_channels(count: int) -> Probe:
    """`take_ready` and one read, when `count` channels became readable."""
    pair = Pair()
    streams = pair.open_streams(count)

    def probe() -> float:
        for stream in streams:
            pair.client.write(stream, b"0123456789")
        while pair.carry(pair.client, pair.server):
            pass
        with Stopwatch() as watch:
            ready = pair.server.take_ready()
            for channel_id, _ in ready:
                pair.server.read(channel_id, 100)
        pair.settle()
        assert len(ready) == count
        return watch.total / count

    return probe


def window_updates(count: int) -> Probe:
    """Noticing, raising and sending the limit of each of `count` channels that want more credit."""
    pair = Pair(max_channel_data=128)
    streams = pair.open_streams(count)
    data = bytes(100)

    def probe() -> float:
        for stream in streams:
            pair.client.write(stream, data)
        pair.settle()
        for stream in streams:
            pair.server.read(stream, 100)
        with Stopwatch() as watch:
            due = pair.server.take_credit()
            for channel_id, consumed, _, _ in due:
                pair.server.set_limit(channel_id, consumed + 128, 128)
            while pair.carry(pair.server, pair.client):
                pass
        pair.settle()
        assert len(due) == count
        return watch.total / count

    return probe


def closing_channels(count: int) -> Probe:
    """Open and close one channel, while of `count` that were opened every other is closed, in any order."""
    pair = Pair()
    streams = pair.open_streams(count)
    odd = streams[1::2]
    random.Random(1).shuffle(odd)

    def end(ids: list[int]) -> None:
        for path in (pair.client, pair.server):
            for stream in ids:
                path.finish(stream)
            pair.settle()
        for path in (pair.client, pair.server):
            for stream in ids:
                path.release(stream)
        pair.settle()

    end(odd[len(odd) // 10 :])
    rest = odd[: len(odd) // 10]  # closed within the readings: their ids lie between others

    def probe() -> float:
        batch = pair.open_streams(100 - min(10, len(rest)))
        batch += [rest.pop() for _ in range(min(10, len(rest)))]
        with Stopwatch() as watch:
            end(batch)
        return watch.total / len(batch)

    return probe


def outgoing_messages(count: int) -> Probe:
    """Sending and confirming 64-byte messages of which `count` are outstanding."""
    pair = Pair()
    channel = pair.client.open(c.KIND_MESSAGE)
    message = bytes(64)
    pair.settle()
    for _ in range(count):
        pair.client.send_message(channel, message, pair.now)
    batch = 2_000

    def probe() -> float:
        with Stopwatch() as watch:
            pair.client.send_messages(channel, [message] * min(batch, 10_000), pair.now)
            taken = 0
            while taken < batch:
                pair.carry(pair.client, pair.server)
                taken += len(pair.server.take_messages(channel, batch))
                pair.carry(pair.server, pair.client)
        return watch.total / taken

    return probe


FLAT: Final = Goal(ratio=1.3, exponent=0.05)
DIMENSIONS: Final = (
    Dimension("open idle channels", "ns a packet", DECADES, idle_channels, Goal(1.15, 0.02)),
    Dimension("open idle channels, closing", "ns a question", DECADES, idle_question, FLAT),
    Dimension("ready channels", "ns a packet", DECADES, ready_channels, Goal(ratio=1.3)),
    Dimension("readable channels", "ns a channel", DECADES[1:], readable_channels, FLAT),
    Dimension("window updates pending", "ns an update", DECADES[1:], window_updates, FLAT),
    Dimension("channels closed out of order", "ns a channel", DECADES[1:], closing_channels, FLAT),
    Dimension("messages waiting", "ns a message", DECADES[1:], outgoing_messages, FLAT),
)
