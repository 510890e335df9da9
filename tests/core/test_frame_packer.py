"""Limits, openings and ends go first, then data of channels in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from core.pump import Pump
from fastmux import constants as c


def data_frames(frames: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [frame for frame in frames if frame[0] in (c.FRAME_STREAM, c.FRAME_MESSAGE)]


def put(pump: Pump, channel: int, size: int) -> None:
    if channel >> 1 & 1 == c.KIND_STREAM:
        pump.client.write(channel, bytes(size))
    else:
        pump.client.send_message(channel, bytes(size), pump.now)


@pytest.mark.parametrize("kind", [c.KIND_STREAM, c.KIND_MESSAGE])
def test_channels_take_turns_by_packets(pump: Pump, kind: int) -> None:
    channels = [pump.client.open(kind) for _ in range(3)]
    pump.pump()
    for channel in channels:
        put(pump, channel, 20_000)
    order = [frame[1] for frame in data_frames(pump.frames(pump.client))]
    assert order[:6] == channels * 2


def test_both_kinds_share_the_turns(pump: Pump) -> None:
    stream, channel = pump.client.open(c.KIND_STREAM), pump.client.open(c.KIND_MESSAGE)
    pump.pump()
    put(pump, stream, 40_000)
    put(pump, channel, 40_000)
    sent = Counter(frame[1] for frame in data_frames(pump.frames(pump.client)))
    assert abs(sent[stream] - sent[channel]) <= 1


def test_small_frames_of_many_channels_share_a_packet(pump: Pump) -> None:
    streams = [pump.client.open(c.KIND_STREAM) for _ in range(20)]
    pump.pump()
    for stream in streams:
        pump.client.write(stream, b"small")
    assert len(pump.packets(pump.client)) == 1


def test_a_channel_that_is_never_read_does_not_hold_up_the_others(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_channel_data=10_000)
    pump.grant = False
    stuck, free = pump.client.open(c.KIND_STREAM), pump.client.open(c.KIND_STREAM)
    pump.client.write(stuck, bytes(50_000))
    for _ in range(20):
        pump.round()
    pump.client.write(free, bytes(9000))
    for _ in range(20):
        pump.round()
    assert pump.server.readable_size(stuck) == 10_000
    assert pump.server.readable_size(free) == 9000


def test_openings_come_before_data(pump: Pump) -> None:
    streams = [pump.client.open(c.KIND_STREAM) for _ in range(3)]
    for stream in streams:
        pump.client.write(stream, b"x")
    kinds = [frame[0] for frame in pump.frames(pump.client)]
    assert kinds == [c.FRAME_OPEN] * 3 + [c.FRAME_STREAM] * 3


def test_more_openings_than_fit_go_in_several_packets(pump: Pump) -> None:
    streams = [pump.client.open(c.KIND_STREAM, b"l" * 255) for _ in range(30)]
    pump.pump()
    assert [stream for stream, _ in pump.server.take_ready()] == streams


def test_many_abandoned_messages_are_told_in_several_frames(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump()
    channel = pump.client.open(c.KIND_MESSAGE, b"", 0, True, c.UNRELIABLE)
    pump.pump()
    messages = [b"x"] * 400
    assert pump.client.send_messages(channel, messages, pump.now) == 400
    pump.frames(pump.client)  # lost
    pump.client.finish(channel)
    for _ in range(4):
        pump.client.queue_control(0, b"\x01")
        pump.send(pump.client)
    pump.pump()
    assert pump.client.counters()["messages_abandoned"] == 400
    assert pump.server.is_finished(channel)


def test_lost_data_goes_before_new_data(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.pump()
    pump.client.write(stream, bytes(1000))
    pump.packets(pump.client)
    pump.client.probe(1)
    pump.client.write(stream, bytes(5000))
    offsets = [frame[2] for frame in data_frames(pump.frames(pump.client))]
    assert offsets[0] == 0
    assert offsets == sorted(offsets)
    assert pump.client.counters()["retransmitted_bytes"] == 1000


def test_a_thousand_idle_channels_are_not_asked(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_streams=1000)
    streams = [pump.client.open(c.KIND_STREAM) for _ in range(1000)]
    pump.pump()
    pump.client.write(streams[500], b"x")
    assert [frame[1] for frame in pump.frames(pump.client)] == [streams[500]]
    assert not pump.client.has_pending


@pytest.mark.parametrize("kind", [c.KIND_STREAM, c.KIND_MESSAGE])
def test_what_the_peer_blocks_is_not_pending(make_pump: Callable[..., Pump], kind: int) -> None:
    pump = make_pump(max_channel_data=128, max_data=2**20)
    pump.grant = False
    channel = pump.client.open(kind)
    put(pump, channel, 128)
    put(pump, channel, 128)
    for _ in range(5):
        pump.round()
    assert not pump.client.has_pending
    pump.inject(pump.client, (c.FRAME_MAX_CHANNEL_DATA, channel, 256))
    assert pump.client.has_pending
