"""Streams between two data paths."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from core.pump import Pump, drop, read_all, ready_flags
from fastmux.constants import KIND_STREAM, READY_READABLE
from fastmux.exceptions import ClosedResourceError

DATA = random.Random(3).randbytes(300_000)


def test_bytes_come_out_as_they_went_in(pump: Pump) -> None:
    stream = pump.client.open(KIND_STREAM, b"label")
    pump.client.write(stream, b"hello")
    pump.client.finish(stream)
    pump.pump()
    assert pump.server.read(stream, 100) == b"hello"
    assert pump.server.read(stream, 100) is None
    assert pump.server.is_finished(stream)


def test_both_directions_are_independent(pump: Pump) -> None:
    stream = pump.client.open(KIND_STREAM)
    pump.client.write(stream, b"ping")
    pump.client.finish(stream)
    pump.pump()
    assert read_all(pump.server, stream) == b"ping"
    pump.server.write(stream, b"pong")
    pump.pump()
    assert pump.client.read(stream, 100) == b"pong"
    assert pump.client.read(stream, 100) == b""


def test_a_long_stream_survives_the_loss_of_a_third_of_all_datagrams(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_channel_data=2**20)
    stream = pump.client.open(KIND_STREAM)
    pump.client.write(stream, DATA)
    pump.client.finish(stream)
    rng = random.Random(1)
    pump.pump(lambda number: rng.random() > 0.33)
    assert read_all(pump.server, stream) == DATA
    assert pump.client.counters()["retransmitted_bytes"] > 50_000


@pytest.mark.parametrize("lost", range(6))
def test_losing_any_one_datagram_loses_nothing(pump: Pump, lost: int) -> None:
    stream = pump.client.open(KIND_STREAM)
    pump.client.write(stream, DATA[:3000])
    pump.client.finish(stream)
    pump.pump(drop([lost]))
    assert read_all(pump.server, stream) == DATA[:3000]
    assert pump.server.is_finished(stream)


def test_readable_is_told_when_there_is_something_to_read(pump: Pump) -> None:
    stream = pump.client.open(KIND_STREAM)
    pump.client.write(stream, b"a")
    pump.pump()
    assert ready_flags(pump.server)[stream] & READY_READABLE
    pump.pump()
    assert stream not in ready_flags(pump.server)
    pump.server.read(stream, 1)
    pump.client.finish(stream)
    pump.pump()
    assert ready_flags(pump.server)[stream] & READY_READABLE


def test_reading_into_a_buffer_takes_what_fits(pump: Pump) -> None:
    stream = pump.client.open(KIND_STREAM)
    pump.client.write(stream, b"abcdef")
    pump.client.finish(stream)
    pump.pump()
    buffer = bytearray(4)
    assert pump.server.readable_size(stream) == 6
    assert (pump.server.read_into(stream, buffer), bytes(buffer)) == (4, b"abcd")
    assert (pump.server.read_into(stream, buffer), bytes(buffer[:2])) == (2, b"ef")
    assert pump.server.read_into(stream, buffer) == -1


def test_nothing_is_written_after_finish(pump: Pump) -> None:
    stream = pump.client.open(KIND_STREAM)
    pump.client.finish(stream)
    with pytest.raises(ClosedResourceError):
        pump.client.write(stream, b"more")
    pump.client.finish(stream)
    pump.pump()
    assert pump.server.read(stream, 10) is None


def test_a_stream_is_no_message_channel(pump: Pump) -> None:
    stream = pump.client.open(KIND_STREAM)
    with pytest.raises(ValueError):
        pump.client.send_message(stream, b"x", pump.now)
    with pytest.raises(ValueError):
        pump.client.take_message(stream)
