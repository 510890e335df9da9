"""Which channel sends next: levels in strict order, weights within one, credit kept for the most urgent."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from core.pump import CLIENT_ID, SEGMENT_SIZE, SERVER_ID, Pump
from fastmux import constants as c
from fastmux.exceptions import ClosedResourceError

LEVEL = c.PRIORITY_WEIGHTS  # added to a priority, it makes the next level
PLENTY = 1 << 40
WIDE = {"max_data": PLENTY, "max_channel_data": PLENTY, "max_streams": 20_000, "max_message_channels": 20_000}
KINDS = [c.KIND_STREAM, c.KIND_MESSAGE]
PIECE = bytes(1 << 20)


def weight_of(priority: int) -> int:
    return c.PRIORITY_WEIGHTS - priority % c.PRIORITY_WEIGHTS


def put(pump: Pump, channel: int, size: int) -> None:
    if channel >> 1 & 1 == c.KIND_STREAM:
        pump.client.write(channel, bytes(size))
    else:
        for _ in range(max(1, size // 50_000)):
            pump.client.send_message(channel, bytes(min(size, 50_000)), pump.now)


def open_all(pump: Pump, priorities: list[int], kinds: list[int] | None = None) -> list[int]:
    """Channels of these priorities (streams, or of these kinds in turn), opened and acknowledged."""
    chosen = kinds or [c.KIND_STREAM]
    channels = [
        pump.client.open(chosen[place % len(chosen)], b"", priority)
        for place, priority in enumerate(priorities)
    ]
    pump.pump()
    return channels


def data_of(frames: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [frame for frame in frames if frame[0] in (c.FRAME_STREAM, c.FRAME_MESSAGE)]


def order(pump: Pump) -> list[int]:
    """The channels of the frames of data that a train of ten packets carries."""
    return [frame[1] for frame in data_of(pump.frames(pump.client))]


def firsts(seen: list[int]) -> list[int]:
    """Each channel once, in the order in which they first come."""
    return list(dict.fromkeys(seen))


def sent_sizes(pump: Pump, channels: list[int], packets: int, limit: int = PLENTY) -> list[int]:
    """What each channel sends in so many packets that nobody receives."""
    before = [pump.client.unsent_size(channel) for channel in channels]
    buffer = bytearray(SEGMENT_SIZE * 50)
    while packets:
        train = memoryview(buffer)[: SEGMENT_SIZE * min(50, packets)]
        _, segments = pump.client.fill(train, SEGMENT_SIZE, limit, pump.now)
        assert segments, "nothing is left to send"
        packets -= segments
    return [size - pump.client.unsent_size(channel) for channel, size in zip(channels, before, strict=True)]


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


# --- what goes again --------------------------------------------------------------------------------------


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


# --- credit kept for the most urgent ----------------------------------------------------------------------

WINDOW = 300_000


@pytest.fixture
def narrow(make_pump: Callable[..., Pump]) -> Pump:
    """A pump whose connection has less credit than a channel has."""
    pump = make_pump(max_data=WINDOW, max_channel_data=2**20)
    pump.grant = False
    return pump


def send_all(pump: Pump) -> None:
    """Sends and acknowledges what can be sent; nothing is read."""
    quiet = 0
    while quiet < 5:
        quiet = 0 if pump.round() else quiet + 1


def test_bulk_leaves_credit_to_a_more_urgent_channel(narrow: Pump) -> None:
    urgent, bulk = open_all(narrow, [LEVEL, 2 * LEVEL])
    put(narrow, bulk, 400_000)
    send_all(narrow)
    assert narrow.server.readable_size(bulk) == WINDOW - c.PRIORITY_RESERVE
    put(narrow, urgent, 100_000)
    send_all(narrow)
    assert narrow.server.readable_size(urgent) == c.PRIORITY_RESERVE
    assert narrow.server.readable_size(bulk) == WINDOW - c.PRIORITY_RESERVE


def test_only_the_most_urgent_level_has_the_credit_kept(narrow: Pump) -> None:
    urgent, middle, bulk = open_all(narrow, [0, LEVEL, 255])
    put(narrow, bulk, 200_000)
    send_all(narrow)
    put(narrow, middle, 200_000)
    send_all(narrow)
    assert narrow.server.readable_size(middle) == WINDOW - c.PRIORITY_RESERVE - 200_000
    put(narrow, urgent, 1000)
    send_all(narrow)
    assert narrow.server.readable_size(urgent) == 1000


@pytest.mark.parametrize("priorities", [[0, 0], [31, 0], [200, 199], [255]])
def test_nothing_is_kept_where_nobody_is_more_urgent(narrow: Pump, priorities: list[int]) -> None:
    *_, last = open_all(narrow, priorities)
    put(narrow, last, 400_000)
    send_all(narrow)
    assert narrow.server.readable_size(last) == WINDOW


def test_the_credit_kept_comes_free_when_the_urgent_channel_has_ended(narrow: Pump) -> None:
    urgent, bulk = open_all(narrow, [0, LEVEL])
    put(narrow, bulk, 400_000)
    send_all(narrow)
    assert narrow.server.readable_size(bulk) == WINDOW - c.PRIORITY_RESERVE
    narrow.client.finish(urgent)  # although the peer's direction goes on
    send_all(narrow)
    assert narrow.server.readable_size(bulk) == WINDOW


@pytest.mark.parametrize("ending", ["reset", "release"])
def test_the_credit_kept_comes_free_when_the_urgent_channel_was_given_up(narrow: Pump, ending: str) -> None:
    urgent, bulk = open_all(narrow, [0, LEVEL])
    put(narrow, bulk, 400_000)
    send_all(narrow)
    getattr(narrow.client, ending)(urgent, *([7] if ending == "reset" else []))
    send_all(narrow)
    assert narrow.server.readable_size(bulk) == WINDOW


def test_the_credit_kept_comes_free_with_a_change_of_priority(narrow: Pump) -> None:
    urgent, bulk = open_all(narrow, [0, LEVEL])
    put(narrow, bulk, 400_000)
    send_all(narrow)
    assert not narrow.client.has_pending
    narrow.client.set_priority(urgent, LEVEL)
    assert narrow.client.has_pending
    narrow.client.set_priority(urgent, 0)
    assert not narrow.client.has_pending
    narrow.client.set_priority(bulk, 31)
    assert narrow.client.has_pending
    send_all(narrow)
    assert narrow.server.readable_size(bulk) == WINDOW


def test_an_urgent_channel_of_the_peers_has_credit_kept_for_it_too(narrow: Pump) -> None:
    (bulk,) = open_all(narrow, [LEVEL])
    urgent = narrow.server.open(c.KIND_STREAM)
    narrow.pump()
    put(narrow, bulk, 400_000)
    send_all(narrow)
    assert narrow.server.readable_size(bulk) == WINDOW - c.PRIORITY_RESERVE
    narrow.client.write(urgent, bytes(1000))
    send_all(narrow)
    assert narrow.server.readable_size(urgent) == 1000


def test_an_urgent_channel_whose_open_has_not_come_counts_for_nothing(narrow: Pump) -> None:
    (bulk,) = open_all(narrow, [LEVEL])
    narrow.inject(narrow.client, (c.FRAME_STREAM, 1, 0, b"early", False))
    put(narrow, bulk, 400_000)
    send_all(narrow)
    assert narrow.server.readable_size(bulk) == WINDOW


def test_messages_start_only_above_the_credit_kept_and_finish_below_it(narrow: Pump) -> None:
    urgent, bulk = open_all(narrow, [0, LEVEL], [c.KIND_MESSAGE])
    for size in (200_000, 60_000, 1000):  # the second begins above it and ends below
        narrow.client.send_message(bulk, bytes(size), narrow.now)
    send_all(narrow)
    assert [len(message) for message in narrow.server.take_messages(bulk, 10)] == [200_000, 60_000]
    narrow.client.send_message(urgent, b"now", narrow.now)
    send_all(narrow)
    assert narrow.server.take_message(urgent) == b"now"


def test_lost_bulk_goes_again_below_the_credit_kept(narrow: Pump) -> None:
    _, bulk = open_all(narrow, [0, LEVEL])
    put(narrow, bulk, 400_000)
    send_all(narrow)
    narrow.client.write(bulk, b"x")
    assert not narrow.client.has_pending
    narrow.inject(narrow.client, (c.FRAME_MAX_DATA, WINDOW + 1000))
    narrow.packets(narrow.client)  # lost
    assert not narrow.client.has_pending
    narrow.client.probe(2)
    assert order(narrow) == [bulk]


@pytest.mark.parametrize("window", [4, 1000, 40_000, 262_144])
def test_of_a_small_window_no_more_than_a_quarter_is_kept(
    make_pump: Callable[..., Pump], window: int
) -> None:
    pump = make_pump(max_data=window, max_channel_data=2**20)
    pump.grant = False
    _, bulk = open_all(pump, [0, LEVEL])
    put(pump, bulk, 300_000)
    send_all(pump)
    assert pump.server.readable_size(bulk) == window - window // c.PRIORITY_RESERVE_DIVISOR


@pytest.mark.parametrize("window", [1000, 9000, 65536, 2**20])
def test_credit_that_is_kept_never_stops_the_rest_for_good(
    make_pump: Callable[..., Pump], window: int
) -> None:
    pump = make_pump(max_data=window, max_channel_data=window)
    choose = random.Random(window)
    channels = open_all(pump, [choose.randrange(256) for _ in range(12)], KINDS)
    sizes = {channel: choose.choice((100, 20_000, 90_000)) for channel in channels}
    for channel, size in sizes.items():
        if channel >> 1 & 1 == c.KIND_STREAM:
            pump.client.write(channel, bytes(size))
        else:
            pump.client.send_message(channel, bytes(size), pump.now)
    got: Counter[int] = Counter()
    for _ in range(3000):
        pump.send(pump.client)
        pump.send(pump.server)
        for channel in channels:
            if channel >> 1 & 1 == c.KIND_STREAM:
                got[channel] += len(pump.server.read(channel, 1 << 20))
            else:
                got[channel] += sum(map(len, pump.server.take_messages(channel, 10)))
        pump.now += 0.01
        for channel, consumed, _, limit in pump.server.take_credit():
            pump.server.set_limit(channel, max(limit, consumed + window), window)
        if got == sizes:
            break
    assert got == sizes


def test_a_second_set_of_limits_changes_what_is_kept(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_data=0, max_channel_data=2**20)
    pump.grant = False
    _, bulk = open_all(pump, [0, LEVEL])
    put(pump, bulk, 300_000)
    pump.client.set_peer(
        SERVER_ID,
        max_data=100_000,
        max_channel_data=2**20,
        max_streams=100,
        max_message_channels=100,
        max_message_size=2**20,
        max_datagram_frame_size=65000,
    )
    while pump.client.has_pending:
        pump.packets(pump.client)
    assert pump.client.unsent_size(bulk) == 300_000 - 75_000
