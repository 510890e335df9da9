"""Data: gaps in a stream and in a message, duplicates, large writes, large buffers.

Owns: these dimensions. May not know: how cost is fitted or shown.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from bench.growth.fit import Dimension, Goal, Probe, Stopwatch
from bench.growth.paths import NO_LIMIT, SEGMENT, Pair
from fastmux import core

FRAGMENT: Final = 64
Order = Callable[[int], list[int]]


def backwards(count: int) -> list[int]:
    """Odd places falling, then even ones falling: every fragment makes a gap or closes one at the front."""
    return [*range(count - 1 | 1, 0, -2), *range(count - 1 & ~1, -1, -2)][:count]


def at_random(count: int) -> list[int]:
    """Any order: most fragments make or close a gap in the middle."""
    places = list(range(count))
    random.Random(1).shuffle(places)
    return places


def inside_out(count: int) -> list[int]:
    """Every other place from the middle outwards, then the rest: moves as much as an array can."""
    places = sorted(range(count), key=lambda place: (place % 2, abs(place - count // 2)))
    return places


def gaps(order: Order) -> Callable[[int], Probe]:
    """All `count` fragments of a stream in this order, together."""

    def prepare(count: int) -> Probe:
        places = [place * FRAGMENT for place in order(count)]
        data = bytes(FRAGMENT)

        def probe() -> float:
            stream = core.ReceiveStream()
            with Stopwatch() as watch:
                for offset in places:
                    stream.receive(offset, data)
            assert stream.readable_size == count * FRAGMENT
            return watch.total / 1000

        return probe

    return prepare


def message_gaps(count: int) -> Probe:
    """All `count` fragments of one unit of a message, in any order, together."""
    places, data = at_random(count), bytes(128)

    def probe() -> float:
        message = core.Reassembler(count)
        with Stopwatch() as watch:
            for place in places:
                message.add(place, data)
        assert message.is_complete
        return watch.total / 1000

    return probe


def duplicate_fragments(count: int) -> Probe:
    """The same bytes ahead of a gap, `count` times."""
    data = bytes(1000)

    def probe() -> float:
        stream = core.ReceiveStream()
        stream.receive(500, data)
        before = core.live()[0]
        with Stopwatch() as watch:
            for _ in range(count):
                stream.receive(500, data)
        assert core.live()[0] == before
        return watch.total / count

    return probe


def send_calls(size: int) -> Probe:
    """Writes of `size` bytes each, 8 MiB or one of them in all, until everything is in packets."""
    data = bytes(size)
    calls = max(1, (1 << 23) // size)

    def probe() -> float:
        pair = Pair(max_channel_data=NO_LIMIT)
        stream = pair.open_streams(1)[0]
        watch, packets = Stopwatch(), 0
        with watch:
            for _ in range(calls):
                pair.client.write(stream, data)
        while pair.client.unsent_size(stream):
            with watch:
                packets += pair.client.fill(pair.buffer, SEGMENT, NO_LIMIT, pair.now)[1]
            # acknowledged as it goes, so that only what was written is large
            pair.server.receive(pair.buffer, 0, len(pair.buffer), SEGMENT, pair.now)
            pair.server.read(stream, 1 << 20)
            pair.carry(pair.server, pair.client)
        return watch.total / packets

    return probe


def buffered_bytes(size: int) -> Probe:
    """Reading 1,000 bytes from a stream that holds `size` and is kept that full."""
    stream = core.ReceiveStream()
    data, at = bytes(1000), 0
    while at < size:
        stream.receive(at, data)
        at += len(data)

    def probe() -> float:
        nonlocal at
        watch, reads = Stopwatch(), 500
        for _ in range(reads):
            with watch:
                stream.read(1000)
            stream.receive(at, data)
            at += len(data)
        return watch.total / reads

    return probe


SIZES: Final = (1 << 10, 1 << 14, 1 << 18, 1 << 22, 1 << 26)
FRAGMENTS: Final = (10, 100, 1_000, 10_000)
LINEAR: Final = Goal(exponent=1.1, ceiling=12_000)
DIMENSIONS: Final = (
    Dimension("stream fragments backwards", "µs in all", FRAGMENTS, gaps(backwards), LINEAR),
    Dimension("stream fragments at random", "µs in all", FRAGMENTS, gaps(at_random), LINEAR),
    Dimension("stream fragments inside out", "µs in all", FRAGMENTS, gaps(inside_out), LINEAR),
    Dimension("message fragments at random", "µs in all", FRAGMENTS, message_gaps, LINEAR),
    Dimension(
        "duplicate fragments",
        "ns a fragment",
        (100, 1_000, 10_000, 100_000),
        duplicate_fragments,
        Goal(1.3, 0.02),
    ),
    Dimension("size of a send call", "ns a packet", SIZES, send_calls, Goal(1.3, 0.02)),
    Dimension("bytes buffered", "ns a read", SIZES, buffered_bytes, Goal(1.3, 0.02)),
)
