"""Incoming messages: partial, complete, in order."""

from __future__ import annotations

from typing import Any

import pytest

from core.pump import Pump
from fastmux import constants as c


def opened(pump: Pump, ordered: bool = True) -> int:
    """A channel of the client's that the server sees."""
    channel: int = pump.client.open(c.KIND_MESSAGE, b"", 0, ordered)
    pump.pump()
    pump.server.take_ready()
    return channel


def message(channel: int, message_id: int, data: bytes, index: int = 0, count: int = 0) -> tuple[Any, ...]:
    return (c.FRAME_MESSAGE, channel, message_id, index, count or max(1, -(-len(data) // 128)), data)


def test_a_message_behind_a_missing_one_waits_if_order_matters(pump: Pump) -> None:
    channel = opened(pump)
    pump.inject(pump.server, message(channel, 1, b"second"))
    assert pump.server.take_ready() == []
    assert pump.server.take_message(channel) is None
    pump.inject(pump.server, message(channel, 0, b"first"))
    assert pump.server.take_messages(channel, 9) == [b"first", b"second"]


def test_a_message_behind_a_missing_one_is_given_at_once_if_order_does_not_matter(pump: Pump) -> None:
    channel = opened(pump, ordered=False)
    pump.inject(pump.server, message(channel, 1, b"second"))
    assert pump.server.take_ready() == [(channel, c.READY_READABLE)]
    assert pump.server.take_message(channel) == b"second"


def test_an_abandoned_message_is_left_out_of_the_order(pump: Pump) -> None:
    channel = opened(pump)
    pump.inject(pump.server, message(channel, 1, b"second"), message(channel, 3, b"fourth"))
    pump.inject(pump.server, (c.FRAME_MESSAGE_ABANDON, channel, ((0, 9), (2, 1))))
    assert pump.server.take_messages(channel, 9) == [b"second", b"fourth"]


def test_what_is_held_whole_is_not_abandoned(pump: Pump) -> None:
    channel = opened(pump)
    pump.inject(pump.server, message(channel, 0, b"whole"))
    pump.inject(pump.server, (c.FRAME_MESSAGE_ABANDON, channel, ((0, 1),)))
    assert pump.server.take_message(channel) == b"whole"


def test_an_abandoned_partial_message_frees_its_memory(pump: Pump) -> None:
    channel = opened(pump)
    pump.inject(pump.server, message(channel, 0, bytes(1024), 0, 100))
    assert pump.server.held_size > 0
    pump.inject(pump.server, (c.FRAME_MESSAGE_ABANDON, channel, ((0, 100),)))
    assert pump.server.held_size == 0
    pump.inject(pump.server, message(channel, 0, bytes(1024), 8, 100))
    assert pump.server.held_size == 0


def test_a_message_is_given_once_however_often_it_comes(pump: Pump) -> None:
    channel = opened(pump)
    for _ in range(3):
        pump.inject(pump.server, message(channel, 0, b"once"))
    assert pump.server.take_messages(channel, 9) == [b"once"]
    pump.inject(pump.server, message(channel, 0, b"once"))
    assert pump.server.take_messages(channel, 9) == []
    assert pump.server.counters()["glitches"] == 3


def test_fragments_in_any_order_make_the_message(pump: Pump) -> None:
    channel = opened(pump)
    data = bytes(range(256)) * 2
    for index in (3, 1, 0, 2):
        pump.inject(pump.server, message(channel, 0, data[index * 128 : index * 128 + 128], index, 4))
    assert pump.server.take_message(channel) == data


def test_the_end_comes_when_every_message_came(pump: Pump) -> None:
    channel = opened(pump)
    pump.inject(pump.server, (c.FRAME_MESSAGE_FIN, channel, 2), message(channel, 1, b"b"))
    assert not pump.server.is_finished(channel)
    pump.inject(pump.server, message(channel, 0, b"a"))
    assert pump.server.take_messages(channel, 9) == [b"a", b"b"]
    assert pump.server.is_finished(channel)


def test_the_end_of_a_channel_without_messages_is_told(pump: Pump) -> None:
    channel = opened(pump)
    pump.inject(pump.server, (c.FRAME_MESSAGE_FIN, channel, 0))
    assert pump.server.take_ready() == [(channel, c.READY_READABLE)]
    assert pump.server.is_finished(channel)


@pytest.mark.parametrize("ordered", [True, False])
def test_held_size_is_zero_when_all_is_taken(pump: Pump, ordered: bool) -> None:
    channel = opened(pump, ordered)
    pump.client.send_messages(channel, [bytes(5000), b"", bytes(100)], pump.now)
    pump.pump()
    assert pump.server.held_size == 5100
    pump.server.take_messages(channel, 9)
    assert pump.server.held_size == 0
