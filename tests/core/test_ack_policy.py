"""When an ACK is due."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.pump import Pump
from fastmux import constants as c

PING = (c.FRAME_PING,)


def pings(pump: Pump, count: int) -> list[bytes]:
    """Packets of the client that ask for an acknowledgement."""
    found = []
    for _ in range(count):
        pump.client.queue_control(0, b"\x01")
        found += pump.packets(pump.client)
    return found


def test_one_packet_alone_is_acknowledged_after_the_delay(pump: Pump) -> None:
    pump.inject(pump.server, PING)
    assert pump.server.deadlines().ack_at == pytest.approx(pump.now + c.MAX_ACK_DELAY)
    assert pump.frames(pump.server) == []
    pump.now += c.MAX_ACK_DELAY
    assert pump.frames(pump.server) == [(c.FRAME_ACK, c.MAX_ACK_DELAY, ((0, 1),))]
    assert pump.server.deadlines().ack_at is None


def test_the_delay_is_what_was_asked_for(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_ack_delay=0.5)
    pump.inject(pump.server, PING)
    assert pump.server.deadlines().ack_at == pytest.approx(pump.now + 0.5)


def test_two_packets_are_acknowledged_at_once(pump: Pump) -> None:
    pump.inject(pump.server, PING)
    pump.inject(pump.server, PING)
    assert pump.server.deadlines().ack_at == pump.now
    assert pump.server.has_pending
    assert pump.frames(pump.server) == [(c.FRAME_ACK, 0.0, ((0, 2),))]


def test_a_train_gets_one_ack(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(11_000))
    pump.receive_train(pump.server, pump.packets(pump.client))
    assert pump.frames(pump.server) == [(c.FRAME_ACK, 0.0, ((0, 10),))]
    assert pump.server.counters()["acks_sent"] == 1


def test_a_packet_out_of_order_is_acknowledged_at_once(pump: Pump) -> None:
    packets = pings(pump, 3)
    pump.deliver(pump.server, packets[:1])
    pump.now += 1
    pump.packets(pump.server)
    pump.deliver(pump.server, packets[2:])
    assert pump.frames(pump.server) == [(c.FRAME_ACK, 0.0, ((2, 3), (0, 1)))]
    pump.deliver(pump.server, packets[1:2])
    assert pump.server.deadlines().ack_at == pump.now


def test_what_elicits_no_ack_gets_none(pump: Pump) -> None:
    for _ in range(5):
        pump.inject(pump.server, (c.FRAME_PADDING, 10))
        pump.inject(pump.server, (c.FRAME_APPLICATION_CLOSE, 0, b""))
    assert pump.server.deadlines().ack_at is None
    assert pump.frames(pump.server) == []


def test_an_ack_rides_along_with_data_before_it_is_due(pump: Pump) -> None:
    pump.inject(pump.server, PING)
    pump.server.open(c.KIND_STREAM)
    kinds = [frame[0] for frame in pump.frames(pump.server)]
    assert kinds == [c.FRAME_ACK, c.FRAME_OPEN]
    assert pump.server.deadlines().ack_at is None


def test_an_ack_needs_no_room_in_the_congestion_window(pump: Pump) -> None:
    pump.inject(pump.server, PING)
    pump.inject(pump.server, PING)
    pump.server.open(c.KIND_STREAM)
    assert [frame[0] for frame in pump.frames(pump.server, size_limit=0)] == [c.FRAME_ACK]


def test_acknowledged_acks_shorten_the_report(pump: Pump) -> None:
    for number in range(10):
        packets = pings(pump, 2)
        pump.deliver(pump.server, packets[1:])
        if number == 4:
            pump.server.open(c.KIND_STREAM)
            pump.send(pump.server)
            pump.now += 1
            pump.send(pump.client)
    ranges = pump.frames(pump.server)[0][2]
    assert len(ranges) == 6  # the last one that the acknowledged ACK told, and five since


def test_an_ack_never_fills_more_than_half_a_packet(pump: Pump) -> None:
    for packets in (pings(pump, 2) for _ in range(1000)):
        pump.deliver(pump.server, packets[1:])
    stream = pump.server.open(c.KIND_STREAM)
    pump.server.write(stream, bytes(5000))
    kinds = [frame[0] for frame in pump.core.parse_frames(pump.packets(pump.server)[0][13:-16])]
    assert kinds == [c.FRAME_ACK, c.FRAME_OPEN, c.FRAME_STREAM]
