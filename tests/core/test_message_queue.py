"""Outgoing messages: fragments, lost units, abandonment, lifetime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.pump import Pump, grant_credit
from fastmux import constants as c
from fastmux.exceptions import ClosedResourceError


def messages_in(frames: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [frame for frame in frames if frame[0] == c.FRAME_MESSAGE]


def abandoned_in(frames: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [frame for frame in frames if frame[0] == c.FRAME_MESSAGE_ABANDON]


def opened(pump: Pump, mode: int = c.RELIABLE, value: int = 0) -> int:
    channel: int = pump.client.open(c.KIND_MESSAGE, b"", 0, True, mode, value)
    pump.pump()
    return channel


def test_a_message_is_cut_at_whole_units(pump: Pump) -> None:
    channel = opened(pump)
    pump.client.send_message(channel, bytes(3000), pump.now)
    cut = messages_in(pump.frames(pump.client))
    assert [(frame[3], frame[4], len(frame[5])) for frame in cut] == [
        (0, 24, 1152),
        (9, 24, 1152),
        (18, 24, 696),
    ]


def test_small_messages_share_a_packet(pump: Pump) -> None:
    channel = opened(pump)
    pump.client.send_messages(channel, [b"a", b"", b"b"], pump.now)
    packets = pump.packets(pump.client)
    assert len(packets) == 1


def test_unsent_counts_units(pump: Pump) -> None:
    channel = opened(pump)
    assert pump.client.send_message(channel, b"", pump.now) == 128
    assert pump.client.send_message(channel, bytes(129), pump.now) == 384
    assert pump.client.unsent_size(channel) == 384
    pump.pump()
    assert pump.client.unsent_size(channel) == 0


def test_sending_many_stops_at_the_write_limit(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(write_limit=1000)
    channel = opened(pump)
    assert pump.client.send_messages(channel, [bytes(300)] * 10, pump.now) == 3
    assert pump.client.send_messages(channel, [bytes(300)] * 10, pump.now) == 0


def test_only_lost_units_are_sent_again(pump: Pump) -> None:
    channel = opened(pump)
    pump.client.send_message(channel, bytes(6000), pump.now)
    first, second, *rest = pump.packets(pump.client)
    pump.deliver(pump.server, [first, *rest])
    pump.send(pump.server)
    again = messages_in(pump.frames(pump.client))
    assert [(frame[3], len(frame[5])) for frame in again] == [(9, 1152)]


def test_a_lost_fragment_of_an_unreliable_message_abandons_it(pump: Pump) -> None:
    channel = opened(pump, c.UNRELIABLE)
    pump.client.send_message(channel, bytes(6000), pump.now)
    first, *rest = pump.packets(pump.client)
    pump.deliver(pump.server, rest)
    pump.send(pump.server)
    assert abandoned_in(pump.frames(pump.client)) == [(c.FRAME_MESSAGE_ABANDON, channel, ((0, 47),))]


def test_a_lost_abandon_is_told_again(pump: Pump) -> None:
    channel = opened(pump, c.UNRELIABLE)
    pump.client.send_message(channel, bytes(6000), pump.now)
    pump.deliver(pump.server, pump.packets(pump.client)[1:])
    pump.send(pump.server)
    assert len(abandoned_in(pump.frames(pump.client))) == 1  # and nobody received it
    pump.client.finish(channel)
    pump.pump()
    assert pump.server.is_finished(channel)


def test_a_message_goes_again_as_often_as_allowed(pump: Pump) -> None:
    channel = opened(pump, c.MAX_RETRANSMITS, 2)
    pump.client.send_message(channel, b"x", pump.now)
    sent = 0
    for _ in range(5):
        sent += len(messages_in(pump.frames(pump.client)))
        for _ in range(4):  # later packets that arrive show the loss
            pump.inject(pump.server, (c.FRAME_PING,))
            pump.client.queue_control(0, b"\x01")
            pump.send(pump.client)
        pump.send(pump.server)
    assert sent == 3
    assert pump.client.counters()["messages_abandoned"] == 1


def test_a_message_that_expires_unsent_costs_nothing(pump: Pump) -> None:
    channel = opened(pump, c.LIFETIME, 100)
    pump.client.send_message(channel, b"old", pump.now)
    assert pump.client.deadlines().expiry_at == pytest.approx(pump.now + 0.1)
    pump.now += 0.2
    pump.client.expire(pump.now)
    assert pump.client.deadlines().expiry_at is None
    assert pump.client.unsent_size(channel) == 0
    pump.client.send_message(channel, b"new", pump.now)
    assert [frame[2] for frame in messages_in(pump.frames(pump.client))] == [0]


def test_a_message_that_expires_half_sent_is_abandoned(pump: Pump) -> None:
    channel = opened(pump, c.LIFETIME, 100)
    pump.client.send_message(channel, bytes(30_000), pump.now)
    pump.send(pump.client, size_limit=3000)
    pump.now += 0.2
    pump.client.expire(pump.now)
    assert pump.client.unsent_size(channel) == 0
    frames = pump.frames(pump.client)
    assert messages_in(frames) == []
    assert abandoned_in(frames) == [(c.FRAME_MESSAGE_ABANDON, channel, ((0, 235),))]


def test_a_message_delivered_in_time_is_not_abandoned(pump: Pump) -> None:
    channel = opened(pump, c.LIFETIME, 1000)
    pump.client.send_message(channel, b"in time", pump.now)
    pump.pump()
    assert pump.client.deadlines().expiry_at is None
    pump.now += 5
    pump.client.expire(pump.now)
    assert pump.client.counters()["messages_abandoned"] == 0
    assert pump.server.take_message(channel) == b"in time"


def test_lifetimes_of_several_channels_run_side_by_side(pump: Pump) -> None:
    slow, quick = opened(pump, c.LIFETIME, 500), opened(pump, c.LIFETIME, 100)
    pump.client.send_message(slow, b"a", pump.now)
    pump.client.send_message(quick, b"b", pump.now)
    assert pump.client.deadlines().expiry_at == pytest.approx(pump.now + 0.1)
    pump.client.expire(pump.now + 0.2)
    assert pump.client.deadlines().expiry_at == pytest.approx(pump.now + 0.5)
    assert (pump.client.unsent_size(slow), pump.client.unsent_size(quick)) == (128, 0)


def test_the_end_follows_the_last_message(pump: Pump) -> None:
    channel = opened(pump)
    pump.client.send_messages(channel, [b"a", b"b"], pump.now)
    pump.client.finish(channel)
    frames = pump.frames(pump.client)
    assert (c.FRAME_MESSAGE_FIN, channel, 2) not in frames[:1]
    pump.pump()
    assert pump.server.take_messages(channel, 9) == [b"a", b"b"]
    assert pump.server.is_finished(channel)
    with pytest.raises(ClosedResourceError):
        pump.client.send_message(channel, b"c", pump.now)


def test_a_buffer_that_changes_later_was_copied(pump: Pump) -> None:
    channel, data = opened(pump), bytearray(b"before")
    pump.client.send_message(channel, data, pump.now)
    data[:] = b"after!"
    pump.pump()
    assert pump.server.take_message(channel) == b"before"


def test_one_unacknowledged_message_holds_no_memory_for_those_after_it(core: Any) -> None:
    pump = Pump(core)
    channel = pump.client.open(c.KIND_MESSAGE, b"", 0, False, c.RELIABLE, 0)
    pump.pump()
    pump.client.send_message(channel, b"stuck", pump.now)
    for _ in range(5000):
        pump.packets(pump.client)  # the stuck one, alone, whenever it goes again: nobody receives it
        pump.client.send_message(channel, b"after it", pump.now)
        pump.deliver(pump.server, pump.packets(pump.client))
        pump.deliver(pump.client, pump.packets(pump.server))
        assert pump.server.take_messages(channel, 9) == [b"after it"]
        grant_credit(pump.server)
    before = core.live()[0]
    pump.client.close()
    assert before - core.live()[0] <= 16_384  # of the sender
    pump.server.close()
