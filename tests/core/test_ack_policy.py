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


def ask(pump: Pump, threshold: int = 10**6, delay: float = 0.1, reordering: int = 3) -> None:
    """The server acknowledges as the client asked."""
    pump.server.set_ack_policy(threshold, delay, reordering)


def acks_for(pump: Pump, numbers: list[int]) -> list[int]:
    """Which packets of the client, given by number and in this order, the server acknowledges at once."""
    packets = pings(pump, max(numbers) + 1)
    found = []
    for number in numbers:
        pump.deliver(pump.server, [packets[number]])
        if pump.frames(pump.server):
            found.append(number)
    return found


@pytest.mark.parametrize("threshold", [0, 1, 2, 10])
def test_one_packet_more_than_the_peer_tolerates_is_acknowledged_at_once(pump: Pump, threshold: int) -> None:
    ask(pump, threshold)
    numbers = list(range(3 * (threshold + 1)))
    assert acks_for(pump, numbers) == numbers[threshold :: threshold + 1]


def test_fewer_packets_than_are_tolerated_wait_for_the_delay_that_was_asked_for(pump: Pump) -> None:
    ask(pump, 5, 0.007)
    pump.deliver(pump.server, pings(pump, 5))
    assert pump.server.deadlines().ack_at == pytest.approx(pump.now + 0.007)
    assert pump.frames(pump.server) == []
    pump.now += 0.007
    assert pump.frames(pump.server) == [(c.FRAME_ACK, pytest.approx(0.007, abs=1e-5), ((0, 5),))]


def test_a_train_beyond_the_tolerance_still_gets_one_ack(pump: Pump) -> None:
    ask(pump, 0)
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(11_000))
    pump.receive_train(pump.server, pump.packets(pump.client))
    assert pump.frames(pump.server) == [(c.FRAME_ACK, 0.0, ((0, 10),))]


# The tables of draft-ietf-quic-ack-frequency §6.2.1, and what a threshold of 0, 1 and 2 makes of the first.
@pytest.mark.parametrize(
    ("reordering", "numbers", "acknowledged"),
    [
        (3, [0, 1, 3, 4, 5, 8, 9, 10], [5, 9, 10]),
        (5, [0, 1, 3, 5, 6, 7, 8, 9], [7, 9]),
        (0, [0, 1, 3, 4, 5, 8, 9, 10], []),
        (1, [0, 1, 3, 4, 5, 8, 9, 10], [3, 8]),
        (2, [0, 1, 3, 4, 5, 8, 9, 10], [4, 8, 9]),
        (3, [0, 1, 3, 4, 2, 5, 6, 7, 8], []),
    ],
)
def test_a_gap_is_told_when_it_is_as_wide_as_asked(
    pump: Pump, reordering: int, numbers: list[int], acknowledged: list[int]
) -> None:
    ask(pump, reordering=reordering)
    assert acks_for(pump, numbers) == acknowledged


def test_a_gap_left_on_purpose_has_a_single_packet_acknowledged_at_once(pump: Pump) -> None:
    ask(pump, reordering=3)
    pump.deliver(pump.server, pings(pump, 4))
    pump.now += 0.1
    pump.packets(pump.server)
    for _ in range(3):
        pump.client.skip_packet_number()
    pump.deliver(pump.server, pings(pump, 1))
    assert pump.frames(pump.server) == [(c.FRAME_ACK, 0.0, ((7, 8), (0, 4)))]
    acknowledged = []
    for packet in pings(pump, 6):
        pump.deliver(pump.server, [packet])
        acknowledged.append(bool(pump.frames(pump.server)))
    assert acknowledged == [True, True] + 4 * [False]  # until the whole gap is told


def test_bare_acks_never_make_an_ack_due_whatever_gap_they_leave(pump: Pump) -> None:
    ask(pump, reordering=2)
    for _ in range(5):
        pump.client.skip_packet_number()
        pump.inject(pump.server, (c.FRAME_PADDING, 10))
    assert pump.server.deadlines().ack_at is None


def test_ranges_that_were_forgotten_count_as_received(pump: Pump) -> None:
    ask(pump, reordering=2 * c.MAX_RECEIVED_RANGES)
    for _ in range(c.MAX_RECEIVED_RANGES + 10):
        pump.client.skip_packet_number()
        pump.deliver(pump.server, pings(pump, 1))
    assert pump.server.deadlines().ack_at > pump.now


@pytest.mark.parametrize("silly", [2**62 - 1, 2**40])
def test_a_tolerance_without_measure_leaves_the_delay_in_force(pump: Pump, silly: int) -> None:
    ask(pump, silly, 0.5, silly)
    packets = pings(pump, 3000)
    pump.deliver(pump.server, packets[::2])
    assert pump.server.deadlines().ack_at == pytest.approx(pump.now + 0.5)
    assert pump.server.held_size == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((-1, 0.1, 1), OverflowError),
        ((1, 0.1, -1), OverflowError),
        ((2**62, 0.1, 1), OverflowError),
        ((1, 0.1, 2**62), OverflowError),
        ((1, -0.1, 1), ValueError),
        ((1, float("inf"), 1), ValueError),
        ((1, float("nan"), 1), ValueError),
        ((1.0, 0.1, 1), TypeError),
        ((1, "x", 1), (TypeError, ValueError)),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_and_changes_nothing(
    pump: Pump, arguments: tuple[object, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        pump.server.set_ack_policy(*arguments)
    test_two_packets_are_acknowledged_at_once(pump)
