"""Credit: what may be sent, and what comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.pump import Pump, read_all
from fastmux import constants as c


def quiet(make_pump: Callable[..., Pump], **limits: int) -> Pump:
    """A pump that grants no credit by itself."""
    pump = make_pump(**limits)
    pump.grant = False
    return pump


def settle(pump: Pump) -> None:
    """Ten rounds: enough for all that credit allows."""
    for _ in range(10):
        pump.round()


def test_a_stream_stops_at_its_limit(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_channel_data=5000)
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(20_000))
    settle(pump)
    assert pump.server.readable_size(stream) == 5000
    assert pump.client.unsent_size(stream) == 15_000
    assert not pump.client.has_pending


def test_streams_stop_at_the_limit_of_the_connection(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_data=8000, max_channel_data=5000)
    streams = [pump.client.open(c.KIND_STREAM) for _ in range(3)]
    for stream in streams:
        pump.client.write(stream, bytes(5000))
    settle(pump)
    assert sum(pump.server.readable_size(stream) for stream in streams) == 8000
    assert not pump.client.has_pending


def test_a_message_may_overdraw_by_itself_and_the_next_one_waits(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_data=2000, max_channel_data=1000, max_message_size=50_000)
    channel = pump.client.open(c.KIND_MESSAGE)
    pump.client.send_messages(channel, [bytes(800), bytes(40_000), b"waits"], pump.now)
    settle(pump)
    assert list(map(len, pump.server.take_messages(channel, 9))) == [800, 40_000]
    assert pump.client.unsent_size(channel) == 128
    other = pump.client.open(c.KIND_STREAM)
    pump.client.write(other, b"waits too")
    settle(pump)
    assert pump.server.readable_size(other) == 0


def test_eight_channels_in_the_middle_of_a_large_message_all_finish(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_data=100_000, max_channel_data=65536, max_message_size=200_000)
    channels = [pump.client.open(c.KIND_MESSAGE) for _ in range(8)]
    for channel in channels:
        pump.client.send_message(channel, bytes(200_000), pump.now)
    taken = 0
    for _ in range(400):
        pump.round()
        for channel, _ in pump.server.take_ready():
            taken += len(pump.server.take_messages(channel, 9))
        for _, consumed, _, limit in pump.server.take_credit():
            pump.server.set_limit(c.CONNECTION_CHANNEL, max(limit, consumed + 100_000), 100_000)
    assert taken == 8


def test_lost_data_goes_again_without_credit(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_data=5000)
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(9000))
    pump.packets(pump.client)  # all credit is used, and all is lost
    for _ in range(200):
        pump.round()
    assert pump.server.readable_size(stream) == 5000


def test_fin_needs_no_credit(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_data=3000)
    first, second = pump.client.open(c.KIND_STREAM), pump.client.open(c.KIND_STREAM)
    pump.client.write(first, bytes(3000))
    pump.client.finish(second)
    settle(pump)
    assert pump.server.read(second, 9) is None


def test_half_a_window_consumed_asks_for_a_higher_limit_once(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_channel_data=10_000)
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(9000))
    settle(pump)
    pump.server.read(stream, 4999)
    assert pump.server.take_credit() == []
    pump.server.read(stream, 1)
    assert pump.server.take_credit() == [(stream, 5000, 9000, 10_000)]
    assert pump.server.take_credit() == []
    pump.server.set_limit(stream, 15_000, 10_000)
    pump.client.write(stream, bytes(5000))
    settle(pump)
    assert pump.server.readable_size(stream) == 9000


@pytest.mark.parametrize(
    ("window", "step"), [(9_999, 5_000), (131_072, 65_536), (200_000, 65_536), (300_000, 75_000)]
)
def test_the_step_is_a_quarter_of_a_window_or_a_train_but_at_most_half(
    make_pump: Callable[..., Pump], window: int, step: int
) -> None:
    pump = quiet(make_pump, max_data=4 * window, max_channel_data=window)
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(window))
    settle(pump)
    pump.server.read(stream, step - 1)
    assert pump.server.take_credit() == []
    pump.server.read(stream, 1)
    ((channel, consumed, _, limit),) = pump.server.take_credit()
    assert (channel, consumed, limit) == (stream, step, window)


def test_the_connection_asks_when_half_its_window_is_charged(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_data=10_000, max_channel_data=100_000)
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(4999))
    settle(pump)
    assert pump.server.take_credit() == []
    pump.client.write(stream, b"x")
    settle(pump)
    assert pump.server.take_credit() == [(c.CONNECTION_CHANNEL, 0, 5000, 10_000)]
    assert pump.server.take_credit() == []
    pump.server.read(stream, 10)  # not raised: asks again when more was consumed
    assert pump.server.take_credit() == [(c.CONNECTION_CHANNEL, 10, 5000, 10_000)]
    pump.server.set_limit(c.CONNECTION_CHANNEL, 20_000, 10_000)
    assert pump.server.take_credit() == []


def test_a_limit_is_never_lowered(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_channel_data=5000)
    stream = pump.client.open(c.KIND_STREAM)
    settle(pump)
    pump.server.set_limit(stream, 1000, 1000)
    pump.server.set_limit(c.CONNECTION_CHANNEL, 1000, 1000)
    pump.client.write(stream, bytes(5000))
    settle(pump)
    assert pump.server.readable_size(stream) == 5000


def test_a_lost_raise_is_told_again(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_channel_data=5000)
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(9000))
    settle(pump)
    pump.server.set_limit(stream, 9000, 5000)
    assert (c.FRAME_MAX_CHANNEL_DATA, stream, 9000) in pump.frames(pump.server)
    for _ in range(200):
        pump.round()
    assert pump.server.readable_size(stream) == 9000


def test_a_reset_channel_returns_all_its_credit(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_data=6000, max_channel_data=5000)
    for _ in range(10):
        stream = pump.client.open(c.KIND_STREAM)
        pump.client.write(stream, bytes(5000))
        pump.send(pump.client, size_limit=2500)
        pump.client.reset(stream, 1)
        pump.pump()
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, b"room")
    pump.pump()
    assert read_all(pump.server, stream) == b"room"


def test_an_abandoned_message_returns_its_credit_once(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_data=10_000, max_channel_data=100_000)
    channel = pump.client.open(c.KIND_MESSAGE)
    settle(pump)
    pump.inject(pump.server, (c.FRAME_MESSAGE, channel, 0, 0, 40, bytes(128)))
    for _ in range(3):
        pump.inject(pump.server, (c.FRAME_MESSAGE_ABANDON, channel, ((0, 40), (1, 2))))
    assert pump.server.take_credit() == [(c.CONNECTION_CHANNEL, 42 * 128, 42 * 128, 10_000)]


def test_bytes_above_a_limit_close_the_connection(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_data=8000, max_channel_data=5000, max_message_channels=0)
    assert pump.forbidden(pump.server, (c.FRAME_STREAM, 0, 5000, b"x", False)) == c.FLOW_CONTROL_ERROR
    pump.inject(pump.server, (c.FRAME_STREAM, 0, 4999, b"x", False))
    assert pump.forbidden(pump.server, (c.FRAME_STREAM, 4, 3000, b"x", False)) == c.FLOW_CONTROL_ERROR
    assert pump.forbidden(pump.server, (c.FRAME_RESET, 4, 1, 3001, 3001)) == c.FLOW_CONTROL_ERROR
    pump.inject(pump.server, (c.FRAME_STREAM, 4, 2999, b"x", False))


def test_messages_above_a_limit_by_more_than_one_close_the_connection(make_pump: Callable[..., Pump]) -> None:
    pump = quiet(make_pump, max_channel_data=1000, max_message_size=1280)
    pump.inject(pump.server, (c.FRAME_MESSAGE, 2, 0, 0, 10, bytes(128)))
    assert pump.forbidden(pump.server, (c.FRAME_MESSAGE, 2, 1, 0, 9, bytes(128))) == c.FLOW_CONTROL_ERROR
    pump.inject(pump.server, (c.FRAME_MESSAGE, 2, 1, 0, 7, bytes(128)))
    assert pump.forbidden(pump.server, (c.FRAME_MESSAGE_ABANDON, 2, ((2, 1),))) == c.FLOW_CONTROL_ERROR


def test_a_channel_whose_open_is_not_here_yet_gets_credit_for_messages_given_up(
    make_pump: Callable[..., Pump],
) -> None:
    pump = quiet(make_pump, max_channel_data=10_000)
    channel = c.KIND_MESSAGE << 1
    assert not pump.dropped(pump.server, (c.FRAME_MESSAGE_ABANDON, channel, ((0, 50),)))
    assert pump.server.take_credit() == [(channel, 6400, 6400, 10_000)]
    pump.server.set_limit(channel, 16_400, 10_000)
    assert pump.server.take_ready() == []
