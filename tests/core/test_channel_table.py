"""Ids, limits and lists of channels."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest

from core.pump import Pump
from fastmux import constants as c
from fastmux.exceptions import BrokenResourceError, ClosedResourceError, WouldBlock


def test_ids_carry_index_kind_and_opener(pump: Pump) -> None:
    assert [pump.client.open(c.KIND_STREAM) for _ in range(2)] == [0, 4]
    assert [pump.client.open(c.KIND_MESSAGE) for _ in range(2)] == [2, 6]
    assert pump.server.open(c.KIND_STREAM) == 1
    assert pump.server.open(c.KIND_MESSAGE) == 3


def test_opening_stops_at_the_limit_of_the_peer(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_streams=2, max_message_channels=1)
    pump.client.open(c.KIND_STREAM)
    pump.client.open(c.KIND_STREAM)
    pump.client.open(c.KIND_MESSAGE)
    for kind in (c.KIND_STREAM, c.KIND_MESSAGE):
        with pytest.raises(WouldBlock):
            pump.client.open(kind)
    pump.server.set_channel_limit(c.KIND_STREAM, 3)
    pump.pump()
    assert (c.FRAME_MAX_CHANNELS, c.KIND_STREAM, 3) in pump.control[pump.client]
    assert pump.client.open(c.KIND_STREAM) == 8


def test_a_released_channel_gives_its_slot_back(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_streams=1)
    for index in range(5):
        stream = pump.client.open(c.KIND_STREAM)
        assert stream == index * 4
        pump.client.finish(stream)
        pump.pump()
        pump.server.finish(stream)
        pump.pump()
        with pytest.raises(WouldBlock):
            pump.client.open(c.KIND_STREAM)
        pump.client.release(stream)
        pump.server.release(stream)
        pump.pump()
    assert pump.server.channel_count == 0


@pytest.mark.parametrize(
    "frame",
    [
        (c.FRAME_STREAM, 400, 0, b"x", False),
        (c.FRAME_OPEN, 400, 0, True, 0, 0, b""),
        (c.FRAME_RESET, 400, 0, 0, 0),
        (c.FRAME_STOP, 400, 0),
        (c.FRAME_MAX_CHANNEL_DATA, 400, 5),
        (c.FRAME_CHANNEL_DATA_BLOCKED, 400, 5),
        (c.FRAME_MESSAGE, 402, 0, 0, 1, b"x"),
        (c.FRAME_MESSAGE_FIN, 402, 0),
        (c.FRAME_MESSAGE_ABANDON, 402, ((0, 1),)),
    ],
)
def test_any_frame_for_a_channel_above_the_limit_closes_the_connection(
    pump: Pump, frame: tuple[object, ...]
) -> None:
    assert pump.forbidden(pump.server, frame) == c.CHANNEL_LIMIT_ERROR
    assert pump.server.channel_count == 0


@pytest.mark.parametrize(
    "frame",
    [
        (c.FRAME_STREAM, 1, 0, b"x", False),
        (c.FRAME_OPEN, 1, 0, True, 0, 0, b""),
        (c.FRAME_RESET, 1, 0, 0, 0),
        (c.FRAME_STOP, 1, 0),
        (c.FRAME_MESSAGE, 3, 0, 0, 1, b"x"),
    ],
)
def test_a_frame_for_a_channel_of_ours_that_was_not_opened_is_an_error(
    pump: Pump, frame: tuple[object, ...]
) -> None:
    assert pump.forbidden(pump.server, frame) == c.CHANNEL_STATE_ERROR


def test_open_for_a_channel_of_ours_is_an_error(pump: Pump) -> None:
    stream = pump.server.open(c.KIND_STREAM)
    assert pump.forbidden(pump.server, (c.FRAME_OPEN, stream, 0, True, 0, 0, b"")) == c.CHANNEL_STATE_ERROR


@pytest.mark.parametrize(
    "frame",
    [
        (c.FRAME_STREAM, 2, 0, b"x", False),
        (c.FRAME_MESSAGE, 0, 0, 0, 1, b"x"),
        (c.FRAME_MESSAGE_FIN, 0, 0),
        (c.FRAME_MESSAGE_ABANDON, 0, ((0, 1),)),
    ],
)
def test_a_frame_for_the_other_kind_of_channel_is_an_error(pump: Pump, frame: tuple[object, ...]) -> None:
    assert pump.forbidden(pump.server, frame) == c.CHANNEL_STATE_ERROR


def test_channels_between_are_not_made(pump: Pump) -> None:
    pump.inject(pump.server, (c.FRAME_OPEN, 4 * 50, 0, True, 0, 0, b""))
    assert pump.server.channel_count == 1


def test_blocked_frames_make_no_channel(pump: Pump) -> None:
    pump.inject(pump.server, (c.FRAME_CHANNEL_DATA_BLOCKED, 0, 5), (c.FRAME_CHANNELS_BLOCKED, 0, 5))
    assert pump.server.channel_count == 0


def test_ready_lists_each_channel_once(pump: Pump) -> None:
    streams = [pump.client.open(c.KIND_STREAM) for _ in range(3)]
    for _ in range(4):
        for stream in streams:
            pump.client.write(stream, b"x")
        pump.pump()
    ready = pump.server.take_ready()
    assert sorted(ready) == [(stream, c.READY_OPENED | c.READY_READABLE) for stream in streams]
    assert pump.server.take_ready() == []


def test_an_unknown_channel_is_a_key_error(pump: Pump) -> None:
    path = pump.client
    for call in (path.finish, path.unsent_size, path.release, path.is_finished, path.open_fields):
        with pytest.raises(KeyError):
            call(0)
    with pytest.raises(KeyError):
        path.write(0, b"x")
    with pytest.raises(KeyError):
        path.set_limit(0, 1, 1)


def test_a_thousand_channels_come_and_go(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_streams=50)
    for _ in range(20):
        streams = [pump.client.open(c.KIND_STREAM) for _ in range(50)]
        for stream in streams:
            pump.client.write(stream, b"hello")
            pump.client.finish(stream)
        pump.pump()
        for stream in streams:
            assert pump.server.read(stream, 10) == b"hello"
            pump.server.finish(stream)
            pump.server.release(stream)
        pump.pump()
        for stream in streams:
            pump.client.release(stream)
        pump.pump()
    assert (pump.client.channel_count, pump.server.channel_count) == (0, 0)
    assert pump.client.counters()["streams_opened"] == 1000


@pytest.mark.parametrize("seed", range(4))
def test_ids_come_and_close_in_any_order_and_none_is_used_twice(pump: Pump, seed: int) -> None:
    random = Random(seed)
    ids, openings = [], []
    for number in range(40):
        ids.append(pump.client.open(c.KIND_MESSAGE if number % 3 else c.KIND_STREAM))
        openings.append(pump.packets(pump.client))
    random.shuffle(openings)
    for position, opening in enumerate(openings):
        pump.deliver(pump.server, opening)
        assert pump.server.channel_count == position + 1
        pump.deliver(pump.server, opening)  # a duplicate
    pump.pump()
    closed = random.sample(ids, 25)
    for channel in closed:
        for path in pump.paths:
            path.release(channel)
        pump.pump()
    assert pump.server.channel_count == 15
    pump.server.take_ready()
    for channel in random.sample(ids, 40):
        pump.inject(pump.server, (c.FRAME_OPEN, channel, 0, True, 0, 0, b"again"))
    assert pump.server.channel_count == 15
    assert pump.server.take_ready() == []


def act(pump: Pump, random: Random, channels: list[int]) -> None:
    """Something that an application does to one of the client's channels."""
    channel = random.choice(channels)
    choice = random.randrange(8)
    with suppress(ClosedResourceError, BrokenResourceError, KeyError):
        if choice < 4 and channel & 2:
            pump.client.send_message(channel, bytes(random.randrange(3000)), pump.now)
        elif choice < 4:
            pump.client.write(channel, bytes(random.randrange(3000)))
        elif choice == 4:
            pump.client.finish(channel)
        elif choice == 5:
            pump.client.reset(channel, 7)
        elif choice == 6:
            pump.server.stop(channel, 9)
        else:
            pump.client.release(channel)


def are_delivered(pump: Pump, channels: list[int]) -> bool:
    """Whether everything written on the client's channels that are not reset is acknowledged."""
    for channel in channels:
        with suppress(ClosedResourceError, BrokenResourceError, KeyError):
            if not pump.client.watch_delivered(channel):
                return False
    return True


@pytest.mark.parametrize("seed", range(8))
def test_idle_is_never_said_too_early_and_always_in_the_end(pump: Pump, seed: int) -> None:
    random = Random(seed)
    modes = [(c.RELIABLE, 0), (c.UNRELIABLE, 0), (c.MAX_RETRANSMITS, 1), (c.LIFETIME, 50)]
    channels = [pump.client.open(c.KIND_STREAM) for _ in range(4)]
    channels += [pump.client.open(c.KIND_MESSAGE, b"", 0, True, *mode) for mode in modes]
    assert not pump.client.is_idle
    idle = 0
    for _ in range(60):
        for _ in range(random.randrange(3)):
            act(pump, random, channels)
        for _ in range(random.randrange(4)):
            pump.advance(random.random() * 0.2)
            pump.client.expire(pump.now)
            pump.round(lambda _: random.random() > 0.3)
        idle += pump.client.is_idle
        assert not pump.client.is_idle or are_delivered(pump, channels)
    for channel in channels:
        with suppress(KeyError):
            pump.client.release(channel)
    pump.pump()
    assert idle
    assert pump.client.is_idle
    assert pump.server.is_idle


def sent_and_not_idle(pump: Pump) -> bool:
    """Sends what the client has; whether it still waits then, for the acknowledgement alone."""
    sent = pump.packets(pump.client)
    waits = bool(sent) and not pump.client.has_pending and not pump.client.is_idle
    pump.deliver(pump.server, sent)
    return waits


def test_an_opening_is_not_idle_until_it_is_acknowledged(pump: Pump) -> None:
    pump.client.open(c.KIND_STREAM)
    assert sent_and_not_idle(pump)
    pump.pump()
    assert pump.client.is_idle


def test_a_reset_is_not_idle_until_it_is_acknowledged(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.pump()
    pump.client.reset(stream, 5)
    assert sent_and_not_idle(pump)
    pump.pump()
    assert pump.client.is_idle


def test_messages_that_expire_before_they_are_sent_leave_nothing_to_wait_for(pump: Pump) -> None:
    channel = pump.client.open(c.KIND_MESSAGE, b"", 0, True, c.LIFETIME, 50)
    pump.pump()
    pump.client.send_message(channel, b"late", pump.now)
    assert not pump.client.is_idle
    pump.now += 1.0
    pump.client.expire(pump.now)
    assert pump.client.is_idle


def test_idle_channels_are_not_looked_at_to_see_that_all_is_idle(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_streams=5000)
    seconds = []
    for count in (10, 2000):
        for _ in range(count):
            pump.client.open(c.KIND_STREAM)
        pump.pump()
        best = min(timeit.repeat(lambda: pump.client.is_idle, number=100, repeat=5))
        assert pump.client.is_idle
        seconds.append(best)
    assert seconds[1] < 20 * seconds[0]  # a look at each would be two hundred times as much
