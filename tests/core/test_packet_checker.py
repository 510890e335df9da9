"""A packet is checked whole before any of its frames is applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.pump import Pump
from fastmux import constants as c

STREAM, CHANNEL = 0, 2


def stream(offset: int, data: bytes, fin: bool = False) -> tuple[Any, ...]:
    return (c.FRAME_STREAM, STREAM, offset, data, fin)


def message(message_id: int, data: bytes, index: int = 0, count: int = 1) -> tuple[Any, ...]:
    return (c.FRAME_MESSAGE, CHANNEL, message_id, index, count, data)


def test_a_packet_with_one_bad_frame_changes_nothing(pump: Pump) -> None:
    bad = (c.FRAME_STREAM, 400, 0, b"x", False)
    assert pump.forbidden(
        pump.server,
        (c.FRAME_OPEN, STREAM, 0, True, 0, 0, b""),
        stream(0, b"data", True),
        message(0, b"m"),
        (c.FRAME_PATH_CHALLENGE, bytes(8)),
        (c.FRAME_DATAGRAM, b"d"),
        bad,
    )
    assert (pump.server.channel_count, pump.server.held_size) == (0, 0)
    assert pump.server.take_ready() == pump.server.take_control() == pump.server.take_datagrams() == []
    assert pump.server.deadlines().ack_at is None


@pytest.mark.parametrize(
    "frames",
    [
        [stream(0, b"ab", True), stream(0, b"abc")],
        [stream(0, b"ab", True), stream(0, b"abc", True)],
        [stream(0, b"abc"), stream(0, b"ab", True)],
        [stream(0, b"ab", True), (c.FRAME_RESET, STREAM, 0, 3, 3)],
        [stream(0, b"abc"), (c.FRAME_RESET, STREAM, 0, 2, 2)],
        [(c.FRAME_RESET, STREAM, 0, 2, 3)],
        [message(0, b"a"), (c.FRAME_MESSAGE_FIN, CHANNEL, 0)],
        [(c.FRAME_MESSAGE_FIN, CHANNEL, 1), message(1, b"a")],
        [(c.FRAME_MESSAGE_FIN, CHANNEL, 1), (c.FRAME_MESSAGE_FIN, CHANNEL, 2)],
        [(c.FRAME_MESSAGE_FIN, CHANNEL, 1), (c.FRAME_MESSAGE_ABANDON, CHANNEL, ((1, 1),))],
        [
            message(0, bytes(128), 0, 3),
            message(0, bytes(100), 2, 3),
            message(0, bytes(129), 1, 3)[:5] + (bytes(229),),
        ],
        [message(0, bytes(100), 2, 3), message(0, bytes(128 + 99), 1, 3)],
        [message(0, b"a"), (c.FRAME_RESET, CHANNEL, 0, 0, 128)],
        [message(0, b"a"), (c.FRAME_RESET, CHANNEL, 0, 1, 0)],
        [(c.FRAME_RESET, CHANNEL, 0, 2, 128)],
        [(c.FRAME_RESET, CHANNEL, 0, 1, 129)],
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_ends_that_contradict_each_other_are_final_size_errors(
    pump: Pump, frames: list[tuple[Any, ...]], together: bool
) -> None:
    before = [] if together else frames[:-1]
    for frame in before:
        pump.inject(pump.server, frame)
    assert pump.forbidden(pump.server, *frames[len(before) :]) == c.FINAL_SIZE_ERROR


@pytest.mark.parametrize(
    "frames",
    [
        [message(0, b"a", 1, 1)],
        [message(0, b"a", 0, 0)],
        [message(0, bytes(129), 2, 3)],
        [message(0, bytes(128), 0, 3), message(0, bytes(128), 0, 4)],
        [message(0, bytes(128), 0, 3), (c.FRAME_MESSAGE_ABANDON, CHANNEL, ((0, 4),))],
        [(c.FRAME_MESSAGE_ABANDON, CHANNEL, ((0, 0),))],
        [message(0, bytes(128), 0, 2**20 // 128 + 1)],
        [(c.FRAME_MESSAGE_ABANDON, CHANNEL, ((0, 2**20 // 128 + 1),))],
    ],
)
def test_fragments_outside_their_message_are_violations(pump: Pump, frames: list[tuple[Any, ...]]) -> None:
    assert pump.forbidden(pump.server, *frames) == c.PROTOCOL_VIOLATION


@pytest.mark.parametrize("data", [bytes(100), bytes(129), b""])
def test_a_fragment_that_is_not_whole_units_is_an_encoding_error(pump: Pump, data: bytes) -> None:
    assert pump.forbidden(pump.server, message(0, data, 0, 3)) == c.FRAME_ENCODING_ERROR


def test_limits_hold_for_the_sum_of_a_packet(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_data=100, max_channel_data=80, max_message_channels=0)
    frames = [(c.FRAME_STREAM, n, 0, bytes(60), False) for n in (0, 4)]
    assert pump.forbidden(pump.server, *frames) == c.FLOW_CONTROL_ERROR
    pump.inject(pump.server, frames[0])
    assert pump.forbidden(pump.server, stream(60, bytes(21))) == c.FLOW_CONTROL_ERROR
    pump.inject(pump.server, stream(60, bytes(20)))


def test_repeated_data_is_charged_once(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_data=100, max_channel_data=100, max_message_channels=0)
    for _ in range(5):
        pump.inject(pump.server, stream(0, bytes(100)), stream(0, bytes(100)), stream(40, bytes(60)))
    assert pump.server.take_credit()[-1][2] == 100


def test_more_gaps_in_a_stream_than_allowed_are_dropped(
    make_pump: Callable[..., Pump],
) -> None:
    pump = make_pump(max_channel_data=2**19)
    for number in range(1, 1001):
        assert not pump.dropped(pump.server, stream(number * 2, b"x"))
    assert pump.dropped(pump.server, stream(5000, b"x"))
    assert not pump.dropped(pump.server, stream(3, b"x"))  # closes a gap
    assert pump.frames(pump.server)[0][2] == ((1001, 1002), (0, 1000))


def test_more_gaps_between_messages_than_allowed_are_dropped_unacknowledged(
    make_pump: Callable[..., Pump],
) -> None:
    pump = make_pump(max_channel_data=2**19)
    for number in range(1000):
        assert not pump.dropped(pump.server, message(number * 2, b"x"))
    assert pump.dropped(pump.server, message(5000, b"x"))
    assert pump.dropped(pump.server, message(5000, bytes(128), 0, 2))
    assert not pump.dropped(pump.server, message(1, b"x"))


@pytest.mark.parametrize("kind", [stream, message])
def test_beyond_a_gap_too_many_nothing_of_a_packet_matters(
    pump: Pump, kind: Callable[[int, bytes], tuple[Any, ...]]
) -> None:
    """A peer must not have a packet of thousands of gaps checked to its end."""
    for number in range(1, 1001):
        assert not pump.dropped(pump.server, kind(2 * number, b"x"))
    broken = (c.FRAME_HANDSHAKE, 0, b"x")
    assert pump.dropped(pump.server, kind(3000, b"x"), broken)
    assert pump.forbidden(pump.server, kind(2, b"x"), broken) == c.PROTOCOL_VIOLATION


def test_the_largest_sizes_that_can_be_set_leave_room_for_data(make_pump: Callable[..., Pump]) -> None:
    """Sums of them must not pass what 63 bits hold."""
    most = c.MAX_SIZE_SETTING
    pump = make_pump(max_data=most, max_channel_data=most, max_message_size=most, budget=most)
    assert not pump.dropped(pump.server, stream(0, bytes(1000)))
    assert not pump.dropped(pump.server, message(0, bytes(1000), 0, 8))
    assert not pump.dropped(pump.server, message(1, bytes(128), 0, most // c.FRAGMENT_UNIT))
    assert pump.server.held_size > 2000


def test_good_traffic_at_a_tenth_lost_never_meets_the_span_limit(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_channel_data=2**20)
    numbers = [n for n in range(3000) if n % 10]
    for number in numbers:
        assert not pump.dropped(pump.server, stream(number * 100, bytes(100)))
    assert pump.server.counters()["dropped_packets"] == 0


def test_above_the_budget_a_packet_is_dropped_unacknowledged(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(budget=1500, max_channel_data=2**20, max_message_channels=0)
    assert not pump.dropped(pump.server, stream(0, bytes(1000)))
    for number in range(1, 7):
        pump.dropped(pump.server, stream(number * 1000, bytes(1000)))
    held = pump.server.held_size
    assert held == 8192  # two blocks of the stream, which need not be full, go beside the budget
    assert pump.dropped(pump.server, stream(100_000, bytes(1900)))
    assert pump.server.held_size == held
    assert not pump.dropped(pump.server, (c.FRAME_PING,))


def test_an_ack_of_what_was_never_sent_is_a_violation(pump: Pump) -> None:
    assert pump.forbidden(pump.server, (c.FRAME_ACK, 0.0, ((0, 1),))) == c.PROTOCOL_VIOLATION
    assert pump.forbidden(pump.server, (c.FRAME_ACK_ECN, 0.0, ((0, 1),), (0, 0, 0))) == c.PROTOCOL_VIOLATION


def test_a_limit_may_be_passed_by_just_one_largest_message(make_pump: Callable[..., Pump]) -> None:
    for limits in ({"max_channel_data": 1280}, {"max_data": 1280}):
        pump = make_pump(max_message_size=1280, **limits)
        pump.inject(pump.server, message(0, bytes(128), 0, 10), message(1, bytes(128), 0, 10))
        assert pump.forbidden(pump.server, message(2, b"")) == c.FLOW_CONTROL_ERROR
