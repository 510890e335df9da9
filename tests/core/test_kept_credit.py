"""Of the connection's credit some is kept for the most urgent channel."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from core.contest import KINDS, LEVEL, open_all, order, put
from core.pump import SERVER_ID, Pump
from fastmux import constants as c

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
