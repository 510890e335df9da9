"""Message channels between two data paths."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from core.pump import Pump
from fastmux.constants import KIND_MESSAGE, LIFETIME, MAX_RETRANSMITS, READY_READABLE, RELIABLE, UNRELIABLE
from fastmux.exceptions import MessageTooBig

SIZES = [0, 1, 127, 128, 129, 1000, 4096, 5000, 20_000, 100_000]
MESSAGES = [random.Random(size).randbytes(size) for size in SIZES]


def run(pump: Pump, channel: int, *, rounds: int = 300, keep: Any = lambda number: True) -> list[bytes]:
    """Pumps, and takes every message that the server gets."""
    found: list[bytes] = []
    for _ in range(rounds):
        pump.round(keep)
        for ready, flags in pump.server.take_ready():
            if ready == channel and flags & READY_READABLE:
                found += pump.server.take_messages(channel, 1000)
    return found


def test_messages_come_whole_once_and_in_order(pump: Pump) -> None:
    channel = pump.client.open(KIND_MESSAGE)
    assert pump.client.send_messages(channel, MESSAGES, pump.now) == len(MESSAGES)
    pump.client.finish(channel)
    assert run(pump, channel) == MESSAGES
    assert pump.server.is_finished(channel)
    assert pump.server.take_message(channel) is None


@pytest.mark.parametrize("ordered", [True, False])
def test_reliable_messages_survive_losses(pump: Pump, ordered: bool) -> None:
    channel = pump.client.open(KIND_MESSAGE, b"", 0, ordered)
    pump.client.send_messages(channel, MESSAGES, pump.now)
    pump.client.finish(channel)
    rng = random.Random(5)
    found = run(pump, channel, rounds=600, keep=lambda number: rng.random() > 0.25)
    assert (found if ordered else sorted(found)) == (MESSAGES if ordered else sorted(MESSAGES))


@pytest.mark.parametrize(("mode", "value"), [(UNRELIABLE, 0), (MAX_RETRANSMITS, 1), (LIFETIME, 60)])
@pytest.mark.parametrize("ordered", [True, False])
def test_unreliable_messages_come_at_most_once_and_the_channel_ends(
    pump: Pump, ordered: bool, mode: int, value: int
) -> None:
    channel = pump.client.open(KIND_MESSAGE, b"", 0, ordered, mode, value)
    messages = [bytes([n]) * 900 for n in range(100)]
    pump.client.send_messages(channel, messages, pump.now)
    pump.client.finish(channel)
    rng = random.Random(6)
    found = run(pump, channel, rounds=600, keep=lambda number: rng.random() > 0.3)
    assert 0 < len(found) < 100
    assert len(set(found)) == len(found)
    assert set(found) <= set(messages)
    if ordered:
        assert found == sorted(found)
    assert pump.server.is_finished(channel)
    assert pump.client.is_idle
    assert pump.client.counters()["messages_abandoned"] > 0


def test_options_of_the_opener_hold_for_both_directions(pump: Pump) -> None:
    channel = pump.client.open(KIND_MESSAGE, b"name", 3, False, MAX_RETRANSMITS, 4)
    pump.pump()
    assert pump.server.open_fields(channel) == (b"name", 3, False, MAX_RETRANSMITS, 4)
    pump.server.send_message(channel, b"back", pump.now)
    pump.pump()
    assert pump.client.take_message(channel) == b"back"


def test_messages_that_came_before_open_take_their_place_when_it_comes(pump: Pump) -> None:
    channel = pump.client.open(KIND_MESSAGE, b"", 0, False)
    opening = pump.packets(pump.client)
    for size in (5000, 10):
        pump.client.send_message(channel, bytes(size), pump.now)
    late, *rest = pump.packets(pump.client)
    pump.deliver(pump.server, [*rest, late])
    assert pump.server.take_ready() == []
    with pytest.raises(KeyError):
        pump.server.take_message(channel)
    pump.deliver(pump.server, opening)
    assert sorted(map(len, pump.server.take_messages(channel, 10))) == [10, 5000]


def test_a_message_larger_than_the_peer_takes_is_refused(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_message_size=1000)
    channel = pump.client.open(KIND_MESSAGE)
    with pytest.raises(MessageTooBig):
        pump.client.send_message(channel, bytes(1001), pump.now)
    with pytest.raises(MessageTooBig):
        pump.client.send_messages(channel, [b"fits", bytes(1001)], pump.now)
    assert pump.client.unsent_size(channel) == 0
    pump.client.send_message(channel, bytes(1000), pump.now)
    assert run(pump, channel, rounds=5) == [bytes(1000)]


def test_take_messages_takes_no_more_than_asked_for(pump: Pump) -> None:
    channel = pump.client.open(KIND_MESSAGE, b"", 0, True, RELIABLE)
    pump.client.send_messages(channel, [b"a", b"b", b"c"], pump.now)
    pump.pump()
    assert pump.server.readable_size(channel) == 3
    assert pump.server.take_messages(channel, 2) == [b"a", b"b"]
    assert pump.server.take_messages(channel, 2) == [b"c"]
    assert pump.server.take_messages(channel, 2) == []


def test_a_message_channel_is_no_stream(pump: Pump) -> None:
    channel = pump.client.open(KIND_MESSAGE)
    with pytest.raises(ValueError):
        pump.client.write(channel, b"x")
    with pytest.raises(ValueError):
        pump.client.read(channel, 1)
