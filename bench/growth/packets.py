"""Packet numbers: ACK ranges held and received, packets outstanding, a packet that is stuck.

Owns: these dimensions. May not know: how cost is fitted or shown.
"""

from __future__ import annotations

from typing import Final

from bench.growth.fit import Dimension, Goal, Probe, Stopwatch
from bench.growth.paths import NO_LIMIT, SEGMENT, SHARED, Pair
from fastmux import constants as c
from fastmux import core

BATCH: Final = 44


def ranges_in_order(count: int) -> Probe:
    """The next packet, where `count` ranges are held."""
    received = core.ReceivedPackets()
    for number in range(count):
        received.add(2 * number, 0.0, True)
    at, batch = 2 * count - 1, 2_000

    def probe() -> float:
        nonlocal at
        with Stopwatch() as watch:
            for number in range(at, at + batch):
                received.add(number, 0.0, True)
        at += batch
        return watch.total / batch

    return probe


def ranges_out_of_order(count: int) -> Probe:
    """A packet that closes a gap, of `count`, and one that opens one."""

    def probe() -> float:
        received = core.ReceivedPackets()
        for number in range(count):
            received.add(3 * number, 0.0, True)
        middle = [3 * number for number in range(count // 4, count // 4 * 3 or 1)]
        rounds = -(-200 // len(middle))
        total = 0
        for _ in range(rounds):
            again = core.ReceivedPackets()
            for number in range(count):
                again.add(3 * number, 0.0, True)
            with Stopwatch() as watch:
                for number in middle:
                    again.add(number + 1, 0.0, True)
                    again.add(number + 2, 0.0, True)
            total += watch.total
        return total / (2 * rounds * len(middle))

    return probe


def hostile_ack(count: int) -> Probe:
    """One ACK frame of `count` ranges that acknowledges every other packet, again and again."""
    pair = Pair()
    stream = pair.open_streams(1)[0]
    pair.client.write(stream, SHARED)
    first = pair.client.counters()["packets_sent"]
    sent = 0
    while sent < 2 * count:
        sent += pair.client.fill(pair.buffer, SEGMENT, NO_LIMIT, pair.now)[1]
    ranges = tuple((first + 2 * place, first + 2 * place + 1) for place in reversed(range(count)))
    frame = core.encode_frame((c.FRAME_ACK, 0.0, ranges))
    packets = 200
    buffer = bytearray(SEGMENT * 2)

    def probe() -> float:
        total = 0
        for _ in range(packets):
            size = pair.server.build_packet(buffer, frame, 0, 0, pair.now)
            with Stopwatch() as watch:
                pair.client.receive(buffer, 0, size, len(buffer), pair.now)
            total += watch.total
        return total / packets

    return probe


def outstanding(count: int) -> Probe:
    """Sending and acknowledging trains of 44 with `count` packets outstanding."""
    pair = Pair(max_channel_data=NO_LIMIT)
    stream = pair.open_streams(1)[0]
    first = pair.client.counters()["packets_sent"]

    def send() -> int:
        pair.now += 1e-6
        while pair.client.unsent_size(stream) < len(pair.buffer):
            pair.client.write(stream, SHARED)
        return pair.client.fill(pair.buffer, SEGMENT, NO_LIMIT, pair.now)[1]

    sent = 0
    while sent < count:
        sent += send()
    acked = first
    back = bytearray(2048)
    pair.client.set_loss_delay(1e9)

    def probe() -> float:
        nonlocal acked
        watch, packets = Stopwatch(), 0
        for _ in range(40):
            ack = core.encode_frame((c.FRAME_ACK, 0.0, ((acked, acked + BATCH),)))
            size = pair.server.build_packet(back, ack, 0, 0, pair.now)
            acked += BATCH
            with watch:
                packets += send()
                pair.client.receive(back, 0, size, len(back), pair.now)
                pair.client.take_ack_summary()
        return watch.total / packets

    return probe


def stuck_packet(span: int) -> Probe:
    """Bytes that the ledger holds for one packet that nobody acknowledges, `span` acknowledged ones later."""

    def probe() -> float:
        before = core.live()[0]
        sent = core.SentPackets()
        sent.add(1200, 0.0)
        for at in range(1, span, 64):
            for _ in range(64):
                sent.add(1200, 0.0)
            sent.acknowledge([(at, at + 64)], 0.0, 0.0)
        held = core.live()[0] - before
        assert len(sent) == 1
        return held

    return probe


def stuck_under_acks(span: int) -> Probe:
    """The same where the later numbers are of bare ACKs, as on an end that only receives."""

    def probe() -> float:
        before = core.live()[0]
        sent = core.SentPackets()
        sent.add(1200, 0.0)
        for _ in range(span):
            sent.add(40, 0.0, False, False)
        held = core.live()[0] - before
        assert len(sent) == 1
        return held

    return probe


def duplicate_packets(count: int) -> Probe:
    """A packet that comes `count` times."""
    pair = Pair()
    stream = pair.open_streams(1)[0]
    pair.client.write(stream, bytes(1000))
    size = pair.client.fill(pair.buffer, SEGMENT, NO_LIMIT, pair.now)[0]

    def probe() -> float:
        before = core.live()[0]
        with Stopwatch() as watch:
            for _ in range(count):
                pair.server.receive(pair.buffer, 0, size, SEGMENT, pair.now)
        assert core.live()[0] - before <= 8192
        return watch.total / count

    return probe


RANGES: Final = (1, 4, 16, 64, 256, 1024)
TIMES: Final = (100, 1_000, 10_000, 100_000)
SPANS: Final = (1_024, 16_384, 131_072, 1_048_576)
DIMENSIONS: Final = (
    Dimension("ACK ranges, in order", "ns a packet", RANGES, ranges_in_order, Goal(1.3, 0.02)),
    Dimension("ACK ranges, out of order", "ns a packet", RANGES[1:], ranges_out_of_order, Goal(2.0, 0.1)),
    Dimension("hostile ACK of many ranges", "ns a frame", RANGES[:5], hostile_ack, Goal(exponent=1.0)),
    Dimension(
        "packets outstanding",
        "ns a packet",
        (100, 1_000, 10_000, 100_000, 1_000_000),
        outstanding,
        Goal(exponent=0.03),
    ),
    Dimension("stuck packet", "bytes held", SPANS, stuck_packet, Goal(ceiling=65536), exact=True),
    Dimension("stuck, bare ACKs", "bytes held", SPANS, stuck_under_acks, Goal(ceiling=65536), exact=True),
    Dimension("duplicate packets", "ns a packet", TIMES, duplicate_packets, Goal(1.3, 0.02)),
)
