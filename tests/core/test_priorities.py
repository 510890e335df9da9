"""A priority follows its channel: what goes again, what changes under way, what each side says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.contest import LEVEL, PIECE, WIDE, data_of, firsts, open_all, order, put, sent_sizes
from core.pump import CLIENT_ID, Pump
from fastmux import constants as c
from fastmux.exceptions import ClosedResourceError


@pytest.mark.parametrize("kinds", [[0], [1]])
def test_lost_data_keeps_its_level(pump: Pump, kinds: list[int]) -> None:
    urgent, bulk = open_all(pump, [0, LEVEL], kinds)
    put(pump, bulk, 1000)
    pump.packets(pump.client)
    pump.client.probe(1)  # what bulk sent is sent again, but not before
    put(pump, urgent, 3000)
    assert firsts(order(pump)) == [urgent, bulk]
    assert pump.client.counters()["retransmitted_bytes"] == 1000


@pytest.mark.parametrize("kinds", [[0], [1]])
def test_lost_urgent_data_goes_before_new_data_that_is_less_urgent(pump: Pump, kinds: list[int]) -> None:
    bulk, urgent = open_all(pump, [LEVEL, 0], kinds)
    put(pump, urgent, 1000)
    pump.packets(pump.client)
    put(pump, bulk, 3000)
    pump.client.probe(1)
    assert order(pump)[0] == urgent


def test_without_credit_what_needs_none_goes_by_level_too(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_data=4000)
    pump.grant = False
    low, high = open_all(pump, [2 * LEVEL, LEVEL])
    put(pump, low, 1000)
    pump.packets(pump.client)
    put(pump, high, 2000)
    pump.packets(pump.client)
    third = pump.client.open(c.KIND_STREAM, b"", LEVEL)
    pump.packets(pump.client)
    put(pump, third, 3000)
    pump.packets(pump.client)  # the credit is at its end
    assert pump.client.unsent_size(third) == 2000
    assert not pump.client.has_pending
    pump.client.probe(10)
    seen = order(pump)
    assert set(seen) == {low, high, third}
    assert seen == sorted(seen, key=lambda channel: channel == low)
    assert not pump.client.has_pending


def test_what_needs_no_credit_fills_the_packet_in_which_the_credit_ends(
    make_pump: Callable[..., Pump],
) -> None:
    pump = make_pump(max_data=1500)
    pump.grant = False
    low, high = open_all(pump, [2 * LEVEL, LEVEL])
    put(pump, low, 500)
    pump.packets(pump.client)
    put(pump, high, 1200)
    pump.packets(pump.client)
    assert pump.client.unsent_size(high) == 200
    pump.inject(pump.client, (c.FRAME_MAX_DATA, 1600))
    pump.client.probe(1)  # what low sent
    packet = pump.packets(pump.client)[0]
    frames = data_of(pump.core.parse_frames(packet[1 + len(CLIENT_ID) + 4 : -c.TAG_SIZE]))
    assert [(frame[1], len(frame[3])) for frame in frames] == [(high, 100), (low, 500)]


# --- changes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [[0], [1], [0, 1]])
def test_a_channel_that_waits_changes_its_level_at_once(
    make_pump: Callable[..., Pump], kinds: list[int]
) -> None:
    pump = make_pump(**WIDE)
    first, second, third = open_all(pump, [LEVEL] * 3, kinds)
    for channel in (first, second, third):
        put(pump, channel, 200_000)
    assert set(order(pump)) == {first, second, third}
    pump.client.set_priority(second, 0)
    assert set(order(pump)) == {second}
    pump.client.set_priority(second, 255)
    assert set(order(pump)) == {first, third}
    pump.client.set_priority(second, LEVEL)
    assert set(order(pump)) == {first, second, third}


def test_a_channel_that_waits_changes_its_weight_at_once(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(**WIDE)
    streams = open_all(pump, [31, 31])
    for stream in streams:
        pump.client.write(stream, PIECE)
    sent_sizes(pump, streams, 20)
    pump.client.set_priority(streams[0], 31 - 2)  # weight 3
    sizes = sent_sizes(pump, streams, 400)
    assert sizes[0] == pytest.approx(3 * sizes[1], rel=0.03)


def test_the_first_weight_of_all_counts_beside_channels_that_wait_already(
    make_pump: Callable[..., Pump],
) -> None:
    pump = make_pump(**WIDE)
    streams = open_all(pump, [0, 0, LEVEL])
    for stream in streams:
        pump.client.write(stream, PIECE)
    pump.client.set_priority(streams[1], 24)  # weight 8, beside one of 32
    sizes = sent_sizes(pump, streams, 400)
    assert sizes[0] == pytest.approx(4 * sizes[1], rel=0.03)
    pump.client.reset(streams[0], 0)
    assert order(pump)[:10] == [streams[1]] * 10
    pump.client.set_priority(streams[2], 0)
    sizes = sent_sizes(pump, streams, 400)
    assert sizes[2] == pytest.approx(4 * sizes[1], rel=0.03)


def test_lost_data_goes_by_the_priority_of_now(pump: Pump) -> None:
    first, second = open_all(pump, [LEVEL, 0])
    for stream in (first, second):
        put(pump, stream, 500)
    pump.packets(pump.client)
    pump.client.probe(2)
    pump.client.set_priority(second, 255)
    assert order(pump) == [first, second]


def test_the_same_priority_again_does_not_cost_a_turn(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(**WIDE)
    streams = open_all(pump, [7, 7])
    for stream in streams:
        pump.client.write(stream, PIECE)
    pump.client.set_priority(streams[0], 7)
    assert order(pump)[:2] == streams


def test_a_change_stays_with_its_side(pump: Pump) -> None:
    (stream,) = open_all(pump, [9])
    pump.client.set_priority(stream, 200)
    pump.pump()
    for path in pump.paths:
        assert path.open_fields(stream).priority == 9


def test_open_goes_again_as_it_was(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM, b"", 9)
    pump.packets(pump.client)
    pump.client.set_priority(stream, 200)
    pump.client.probe(1)
    (frame,) = (frame for frame in pump.frames(pump.client) if frame[0] == c.FRAME_OPEN)
    assert frame[2] == 9


def test_both_directions_go_by_what_open_says(pump: Pump) -> None:
    bulk, urgent = open_all(pump, [LEVEL, 0])
    pump.server.write(bulk, bytes(3000))
    pump.server.write(urgent, bytes(3000))
    seen = [frame[1] for frame in data_of(pump.frames(pump.server))]
    assert seen == sorted(seen, key=lambda channel: channel != urgent)
    assert set(seen) == {bulk, urgent}


@pytest.mark.parametrize("priority", [-1, 256, 1 << 70])
def test_a_priority_is_a_byte(pump: Pump, priority: int) -> None:
    (stream,) = open_all(pump, [0])
    with pytest.raises(OverflowError):
        pump.client.set_priority(stream, priority)
    with pytest.raises(OverflowError):
        pump.client.open(c.KIND_STREAM, b"", priority)


def test_a_priority_is_an_integer_and_of_a_channel_that_is_there(pump: Pump) -> None:
    (stream,) = open_all(pump, [0])
    with pytest.raises(TypeError):
        pump.client.set_priority(stream, 1.0)
    with pytest.raises(KeyError):
        pump.client.set_priority(stream + 4, 1)
    pump.client.release(stream)
    with pytest.raises(KeyError):
        pump.client.set_priority(stream, 1)


def test_a_closed_path_takes_no_priority(core: Any) -> None:
    path = core.DataPath(True, CLIENT_ID)
    path.close()
    with pytest.raises(ClosedResourceError):
        path.set_priority(0, 1)
