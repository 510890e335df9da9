"""Unreliable datagrams."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.pump import Pump
from fastmux import constants as c
from fastmux.exceptions import MessageTooBig


def test_datagrams_arrive_unchanged(pump: Pump) -> None:
    for data in (b"one", b"", b"x" * 1000):
        assert pump.client.send_datagram(data)
    pump.pump()
    assert pump.server.take_datagrams() == [b"one", b"", b"x" * 1000]
    assert pump.server.take_datagrams() == []


def test_a_lost_datagram_is_not_sent_again(pump: Pump) -> None:
    pump.client.send_datagram(b"gone")
    pump.packets(pump.client)
    for _ in range(100):
        pump.round()
    assert pump.server.take_datagrams() == []


def test_a_datagram_larger_than_the_peer_takes_is_refused(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_datagram_frame_size=100)
    assert pump.client.send_datagram(bytes(100))
    with pytest.raises(MessageTooBig):
        pump.client.send_datagram(bytes(101))


def test_a_datagram_larger_than_announced_is_a_violation(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_datagram_frame_size=100)
    assert pump.forbidden(pump.server, (c.FRAME_DATAGRAM, bytes(101))) == c.PROTOCOL_VIOLATION
    none = make_pump(max_datagram_frame_size=0)
    assert none.forbidden(none.server, (c.FRAME_DATAGRAM, b"")) == c.PROTOCOL_VIOLATION


def test_a_datagram_larger_than_a_packet_is_dropped_and_counted(pump: Pump) -> None:
    pump.client.send_datagram(bytes(5000))
    pump.client.send_datagram(b"fits")
    pump.pump()
    assert pump.server.take_datagrams() == [b"fits"]
    assert pump.client.counters()["datagrams_dropped"] == 1


def test_the_sending_queue_is_bounded(pump: Pump) -> None:
    taken = [pump.client.send_datagram(b"x") for _ in range(2000)]
    assert taken == [True] * c.MAX_DATAGRAM_QUEUE + [False] * (2000 - c.MAX_DATAGRAM_QUEUE)
    assert pump.client.counters()["datagrams_dropped"] == 2000 - c.MAX_DATAGRAM_QUEUE


def test_the_receiving_queue_is_bounded(pump: Pump) -> None:
    for _ in range(2000):
        pump.inject(pump.server, (c.FRAME_DATAGRAM, bytes(1000)))
    kept = len(pump.server.take_datagrams())
    assert kept == c.MAX_DATAGRAM_QUEUE
    assert pump.server.counters()["datagrams_dropped"] == 2000 - kept


def test_ten_times_the_usual_rate_never_meets_the_limit(pump: Pump) -> None:
    for number in range(5000):
        assert pump.client.send_datagram(number.to_bytes(4, "big"))
        if number % 100 == 99:
            pump.round()
            assert len(pump.server.take_datagrams()) == 100
    assert pump.server.counters()["datagrams_dropped"] == 0
