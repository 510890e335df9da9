"""Which channel sends next: levels in strict order, weights within one, at a cost that does not grow."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from core.contest import KINDS, LEVEL, PIECE, WIDE, firsts, open_all, order, put, sent_sizes
from core.pump import SEGMENT_SIZE, Pump
from fastmux import constants as c


def weight_of(priority: int) -> int:
    return c.PRIORITY_WEIGHTS - priority % c.PRIORITY_WEIGHTS


# --- levels -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [[0], [1], [0, 1], [1, 0]])
def test_a_more_urgent_level_goes_first_whoever_wrote_first(pump: Pump, kinds: list[int]) -> None:
    levels = [2, 7, 0, 5]
    channels = open_all(pump, [level * LEVEL for level in levels], kinds)
    for channel in channels:
        put(pump, channel, 2500)
    seen = order(pump)
    assert firsts(seen) == [channels[place] for place in (2, 0, 3, 1)]
    assert seen == sorted(seen, key=lambda channel: levels[channels.index(channel)])


def test_within_a_level_the_lighter_one_is_not_less_urgent(pump: Pump) -> None:
    heavy, light = open_all(pump, [LEVEL, LEVEL + 31])
    put(pump, light, 2000)
    put(pump, heavy, 2000)
    assert order(pump)[0] == light


def test_a_level_waits_while_a_more_urgent_one_sends(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(**WIDE)
    urgent, bulk = open_all(pump, [0, LEVEL])
    pump.client.write(urgent, PIECE)
    pump.client.write(bulk, PIECE)
    assert sent_sizes(pump, [urgent, bulk], 300)[1] == 0


def test_an_urgent_message_is_in_the_next_packet_beside_bulk(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(**WIDE)
    streams = open_all(pump, [LEVEL] * 50)
    channel = pump.client.open(c.KIND_MESSAGE)
    pump.pump()
    for stream in streams:
        pump.client.write(stream, PIECE)
    sent_sizes(pump, streams, 70)
    pump.client.send_message(channel, b"now", pump.now)
    assert order(pump)[0] == channel


def test_an_urgent_channel_without_credit_of_its_own_blocks_nobody(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_channel_data=5000)
    pump.grant = False
    urgent, bulk = open_all(pump, [0, LEVEL])
    put(pump, urgent, 9000)
    put(pump, bulk, 4000)
    assert sent_sizes(pump, [urgent, bulk], 8) == [5000, 4000]
    pump.inject(pump.client, (c.FRAME_MAX_CHANNEL_DATA, urgent, 9000))
    put(pump, bulk, 900)
    assert order(pump)[0] == urgent


# --- weights ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [[0], [1], [0, 1]])
@pytest.mark.parametrize("level", [0, 7])
def test_shares_within_a_level_are_as_the_weights(
    make_pump: Callable[..., Pump], kinds: list[int], level: int
) -> None:
    pump = make_pump(**WIDE)
    priorities = [level * LEVEL + low for low in (0, 0, 8, 16, 24, 29)]
    channels = open_all(pump, priorities, kinds)
    for channel in channels:
        if channel >> 1 & 1 == c.KIND_STREAM:
            pump.client.write(channel, PIECE)
            pump.client.write(channel, PIECE)
        else:
            for _ in range(8):
                pump.client.send_message(channel, PIECE[: 1 << 18], pump.now)
    sizes = sent_sizes(pump, channels, 2400)
    weights = list(map(weight_of, priorities))
    for size, weight in zip(sizes, weights, strict=True):
        assert size / sum(sizes) == pytest.approx(weight / sum(weights), rel=0.04)


@pytest.mark.parametrize("priority", [0, 31, 100, 255])
def test_equal_weights_take_turns_by_packets_whatever_they_are(
    make_pump: Callable[..., Pump], priority: int
) -> None:
    pump = make_pump(**WIDE)
    streams = open_all(pump, [priority] * 3)
    for stream in streams:
        pump.client.write(stream, PIECE)
    assert order(pump) == (streams * 4)[:10]


def test_the_lightest_one_is_not_starved_by_the_heaviest(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(**WIDE)
    heavy, light = open_all(pump, [0, 31])
    for stream in (heavy, light):
        pump.client.write(stream, PIECE)
    seen = order(pump) + order(pump) + order(pump) + order(pump)
    assert Counter(seen[:33]) == {heavy: 32, light: 1}


def test_turns_are_of_one_packet_again_when_the_lightest_has_nothing_left(
    make_pump: Callable[..., Pump],
) -> None:
    pump = make_pump(**WIDE)
    *heavy, light = open_all(pump, [0, 0, 31])
    for stream in heavy:
        pump.client.write(stream, PIECE)
    pump.client.write(light, bytes(SEGMENT_SIZE))  # two packets
    seen = [channel for _ in range(20) for channel in order(pump)]
    assert Counter(seen[:65]) == {heavy[0]: 32, heavy[1]: 32, light: 1}
    assert pump.client.unsent_size(light) == 0
    assert seen[-20:] == seen[-20:-18] * 10
    assert set(seen[-20:]) == set(heavy)


def test_a_channel_that_runs_out_of_data_saves_nothing_of_its_turn(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(**WIDE)
    first, second, light = open_all(pump, [0, 0, 31])
    for stream in (first, light):
        pump.client.write(stream, bytes(300))
    assert order(pump) == [first, light]  # first had a turn of 32 packets, and used a part of one
    for stream in (first, second):
        pump.client.write(stream, PIECE)
    assert order(pump) == [first, second] * 5


def test_a_channel_of_short_messages_has_its_share_in_bytes(make_pump: Callable[..., Pump]) -> None:
    # Whole units leave a part of each packet empty: the channel makes up for it, by bytes and not by packets.
    pump = make_pump(**WIDE)
    stream, channel = open_all(pump, [3, 3], KINDS)
    pump.client.write(stream, PIECE)
    pump.client.send_messages(channel, [bytes(700)] * 1400, pump.now)
    sizes = sent_sizes(pump, [stream, channel], 800)
    assert sizes[0] == pytest.approx(sizes[1] / 768 * 700, rel=0.04)  # unsent_size counts whole units


def test_ten_thousand_channels_share_by_their_weights(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(**WIDE)
    count = 10_000
    priorities = [LEVEL, LEVEL + 16] * (count // 2)  # weights 32 and 16
    channels = open_all(pump, priorities)
    for channel in channels:
        pump.client.write(channel, PIECE)
    sizes = sent_sizes(pump, channels, count // 2 * 3, SEGMENT_SIZE * 50)  # a turn of each
    heavy, light = sizes[::2], sizes[1::2]
    assert sum(heavy) == pytest.approx(2 * sum(light), rel=0.01)
    assert max(heavy) <= 1.05 * min(heavy)
    assert max(light) <= 1.05 * min(light)


@pytest.mark.parametrize(
    ("count", "packets", "turn"),
    [
        (c.LONG_TURN_CHANNELS + 1, 16 * c.LONG_TURN_SHARE, 16),
        (c.LONG_TURN_CHANNELS + 1, 1000 * c.LONG_TURN_SHARE, c.MAX_TURN_PACKETS),
        (c.LONG_TURN_CHANNELS + 1, 3 * c.LONG_TURN_SHARE, 3),
        (c.LONG_TURN_CHANNELS + 1, c.LONG_TURN_SHARE - 1, 1),
        (c.LONG_TURN_CHANNELS, 16 * c.LONG_TURN_SHARE, 1),
    ],
)
def test_many_take_longer_turns_the_more_may_be_sent_at_once(
    make_pump: Callable[..., Pump], count: int, packets: int, turn: int
) -> None:
    """Each packet for another of a thousand channels would wake a thousand readers for a packet each."""
    pump = make_pump(**WIDE)
    channels = open_all(pump, [0] * count)
    for channel in channels:
        pump.client.write(channel, PIECE)
    # OPEN frames take their own packets first
    while pump.client.fill(bytearray(SEGMENT_SIZE), SEGMENT_SIZE, SEGMENT_SIZE, pump.now)[0]:
        if sum(map(pump.client.unsent_size, channels)) < count * len(PIECE) - count * SEGMENT_SIZE:
            break
    before = [pump.client.unsent_size(channel) for channel in channels]
    buffer = bytearray(SEGMENT_SIZE * 3 * turn)
    pump.client.fill(buffer, SEGMENT_SIZE, SEGMENT_SIZE * packets, pump.now)
    sent = [size - pump.client.unsent_size(channel) for channel, size in zip(channels, before, strict=True)]
    served = [size for size in sent if size]
    assert 3 <= len(served) <= 4  # a turn may have been under way
    assert max(served) <= turn * SEGMENT_SIZE
    assert sum(served) > (3 * turn - 1) * (SEGMENT_SIZE - 60)


# --- cost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [3, 10_000])
def test_no_channel_is_asked_that_does_not_send(make_pump: Callable[..., Pump], count: int) -> None:
    pump = make_pump(**WIDE)
    choose = random.Random(1)
    channels = open_all(pump, [choose.choice((0, 31, 40, 63, 200, 255)) for _ in range(count)])
    for channel in channels:
        pump.client.write(channel, PIECE)
    before = pump.client.counters()
    sent_sizes(pump, channels[:1], 1000)
    after = pump.client.counters()
    # One channel fills a packet; here and there a second one is put beside the first's last bytes.
    assert after["packets_sent"] - before["packets_sent"] == 1000
    assert 1000 <= after["channels_asked"] - before["channels_asked"] <= 1010


def calls_of(call: Callable[[], object]) -> int:
    """How many functions, of Python and of C, the call calls."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return calls


def test_the_work_for_a_packet_does_not_grow_with_the_channels_that_send(
    core: Any, make_pump: Callable[..., Pump]
) -> None:
    if core.IMPLEMENTATION != "python":
        pytest.skip("what the compiled core calls cannot be counted; channels_asked is, above")
    counts = []
    for count in (10, 10_000):
        pump = make_pump(**WIDE)
        channels = open_all(pump, [32, 40, 63, 200, 255] * (count // 5))
        for channel in channels:
            pump.client.write(channel, PIECE)
        sent_sizes(pump, [], 10)
        counts.append(calls_of(partial(sent_sizes, pump, [], 50)))
    assert counts[0] > 1000
    assert counts[1] == pytest.approx(counts[0], rel=0.05)
