"""How channels open, finish, are reset, stopped and released."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.pump import Pump, drop, ready_flags
from fastmux import constants as c
from fastmux.exceptions import BrokenResourceError, ChannelReset, ClosedResourceError

KINDS = [c.KIND_STREAM, c.KIND_MESSAGE]
DONE = c.READY_DONE


def put(pump: Pump, path: Any, channel: int, data: bytes) -> int:
    """Writes bytes or sends a message, by the kind of the channel."""
    if channel >> 1 & 1 == c.KIND_STREAM:
        return int(path.write(channel, data))
    return int(path.send_message(channel, data, pump.now))


def take(path: Any, channel: int) -> bytes | None:
    """Reads bytes or takes a message."""
    is_stream = channel >> 1 & 1 == c.KIND_STREAM
    data: bytes | None = path.read(channel, 65536) if is_stream else path.take_message(channel)
    return data


@pytest.mark.parametrize("kind", KINDS)
def test_opened_is_told_with_label_and_options(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind, "fä".encode(), 7, False, c.RELIABLE, 9)
    pump.pump()
    assert pump.server.take_ready() == [(channel, c.READY_OPENED)]
    assert pump.server.open_fields(channel) == ("fä".encode(), 7, False, c.RELIABLE, 9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_open_is_sent_again(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    pump.pump(drop([0, 1]))
    assert ready_flags(pump.server) == {channel: c.READY_OPENED}


@pytest.mark.parametrize("kind", KINDS)
def test_data_before_open_is_shown_with_it(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    opening = pump.packets(pump.client)
    put(pump, pump.client, channel, b"early")
    pump.send(pump.client)
    assert pump.server.take_ready() == []
    with pytest.raises(KeyError):
        take(pump.server, channel)
    pump.deliver(pump.server, opening)
    assert pump.server.take_ready() == [(channel, c.READY_OPENED | c.READY_READABLE)]
    assert take(pump.server, channel) == b"early"


def test_a_label_that_is_not_text_or_too_long_is_a_value_error(pump: Pump) -> None:
    for label in (b"\xff", bytes(256)):
        with pytest.raises(ValueError):
            pump.client.open(c.KIND_STREAM, label)
    assert pump.client.channel_count == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_is_done_when_both_directions_ended(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    put(pump, pump.client, channel, b"x")
    pump.client.finish(channel)
    pump.pump()
    assert not ready_flags(pump.server)[channel] & DONE
    assert take(pump.server, channel) == b"x"
    pump.server.finish(channel)
    pump.pump()
    assert ready_flags(pump.client)[channel] & DONE
    assert ready_flags(pump.server)[channel] & DONE


@pytest.mark.parametrize("kind", KINDS)
def test_reset_drops_what_is_unsent_and_is_told_to_the_reader(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    put(pump, pump.client, channel, b"x" * 5000)
    pump.send(pump.client, size_limit=1200)
    pump.client.reset(channel, 77)
    assert pump.client.unsent_size(channel) == 0
    pump.pump()
    assert ready_flags(pump.server)[channel] & c.READY_RESET
    assert pump.server.reset_code(channel) == 77
    with pytest.raises(ChannelReset) as caught:
        take(pump.server, channel)
    assert caught.value.code == 77
    assert pump.server.held_size == 0
    with pytest.raises(ClosedResourceError):
        put(pump, pump.client, channel, b"more")


@pytest.mark.parametrize("kind", KINDS)
def test_reset_of_one_direction_leaves_the_other(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    pump.client.reset(channel, 1)
    pump.pump()
    put(pump, pump.server, channel, b"still")
    pump.pump()
    assert take(pump.client, channel) == b"still"


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_reset_is_sent_again(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    pump.pump()
    pump.client.reset(channel, 5)
    pump.packets(pump.client)
    pump.pump()
    assert pump.server.reset_code(channel) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_stop_makes_the_peer_reset_with_the_same_code(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    put(pump, pump.client, channel, b"x" * 5000)
    pump.pump()
    pump.server.stop(channel, 33)
    assert pump.server.held_size == 0
    pump.pump()
    assert ready_flags(pump.client)[channel] & c.READY_STOPPED
    assert (pump.client.stop_code(channel), pump.server.reset_code(channel)) == (33, 33)
    with pytest.raises(BrokenResourceError):
        put(pump, pump.client, channel, b"more")
    with pytest.raises(ClosedResourceError):
        take(pump.server, channel)
    with pytest.raises(BrokenResourceError):
        pump.client.watch_delivered(channel)


@pytest.mark.parametrize("kind", KINDS)
def test_stop_after_everything_was_delivered_changes_nothing(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    put(pump, pump.client, channel, b"x")
    pump.client.finish(channel)
    pump.pump()
    pump.server.stop(channel, 33)
    pump.pump()
    assert pump.client.stop_code(channel) is None
    assert pump.server.reset_code(channel) is None


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_after_stop_is_discarded_and_its_credit_returns(
    make_pump: Callable[..., Pump], kind: int
) -> None:
    pump = make_pump(max_data=20_000, max_channel_data=10_000)
    for _ in range(5):
        channel = pump.client.open(kind)
        put(pump, pump.client, channel, b"x" * 9000)
        pump.send(pump.client)
        pump.server.stop(channel, 1)
        pump.pump()
    assert pump.server.held_size == 0
    last = pump.client.open(kind)
    put(pump, pump.client, last, b"there is room")
    pump.pump()
    assert take(pump.server, last) == b"there is room"


@pytest.mark.parametrize("kind", KINDS)
def test_delivered_is_told_when_everything_is_acknowledged(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    assert pump.client.watch_delivered(channel)
    put(pump, pump.client, channel, b"x" * 3000)
    assert not pump.client.watch_delivered(channel)
    pump.send(pump.client)
    assert channel not in ready_flags(pump.client)
    pump.pump()
    assert ready_flags(pump.client)[channel] & c.READY_DELIVERED
    assert pump.client.watch_delivered(channel)
    pump.client.finish(channel)
    assert not pump.client.watch_delivered(channel)
    pump.pump()
    assert ready_flags(pump.client)[channel] & c.READY_DELIVERED


@pytest.mark.parametrize("kind", KINDS)
def test_a_writer_that_filled_the_limit_hears_when_half_is_free(
    make_pump: Callable[..., Pump], kind: int
) -> None:
    pump = make_pump(write_limit=10_000)
    channel = pump.client.open(kind)
    pump.pump()
    put(pump, pump.client, channel, b"x" * 9000)
    put(pump, pump.client, channel, b"x" * 9000)
    assert pump.client.unsent_size(channel) >= 18_000
    pump.send(pump.client)
    assert channel not in ready_flags(pump.client)
    pump.send(pump.client)
    assert ready_flags(pump.client) == {channel: c.READY_WRITABLE}


@pytest.mark.parametrize("kind", KINDS)
def test_releasing_a_finished_channel_lets_what_was_written_go_out(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    put(pump, pump.client, channel, b"x" * 30_000)
    pump.client.finish(channel)
    pump.client.release(channel)
    with pytest.raises(KeyError):
        pump.client.unsent_size(channel)
    pump.pump()
    assert len(take(pump.server, channel) or b"") == 30_000
    assert pump.server.is_finished(channel)
    assert pump.server.stop_code(channel) == c.CANCELLED  # nobody would read what the server wrote
    assert pump.client.channel_count == 0


@pytest.mark.parametrize("kind", KINDS)
def test_releasing_an_unfinished_channel_never_makes_it_look_whole(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    put(pump, pump.client, channel, b"part")
    pump.pump()
    pump.client.release(channel)
    pump.pump()
    assert pump.server.reset_code(channel) == c.CANCELLED
    assert pump.server.stop_code(channel) == c.CANCELLED
    pump.server.release(channel)
    pump.pump()
    assert (pump.client.channel_count, pump.server.channel_count) == (0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_released_channel_is_unknown_and_late_frames_for_it_are_ignored(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    pump.client.finish(channel)
    pump.pump()
    pump.server.finish(channel)
    pump.pump()
    pump.client.release(channel)
    pump.server.release(channel)
    before = pump.server.counters()["glitches"]
    pump.inject(pump.server, (c.FRAME_STOP, channel, 1), (c.FRAME_MAX_CHANNEL_DATA, channel, 9))
    assert pump.server.counters()["glitches"] == before + 1  # one useless packet
    for call in (pump.server.finish, pump.server.release, pump.server.is_finished):
        with pytest.raises(KeyError):
            call(channel)


@pytest.mark.parametrize("kind", KINDS)
def test_ending_what_has_ended_does_nothing(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    pump.client.reset(channel, 1)
    pump.client.reset(channel, 2)
    pump.client.finish(channel)
    pump.client.stop(channel, 3)
    pump.client.stop(channel, 4)
    pump.pump()
    assert (pump.server.reset_code(channel), pump.server.stop_code(channel)) == (1, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_reset_before_anything_was_sent_is_seen_and_over(pump: Pump, kind: int) -> None:
    channel = pump.client.open(kind)
    put(pump, pump.client, channel, b"never sent")
    pump.client.reset(channel, 9)
    pump.client.stop(channel, 9)
    pump.pump()
    flags = ready_flags(pump.server)[channel]
    assert flags & c.READY_OPENED and flags & c.READY_RESET and flags & c.READY_STOPPED and flags & DONE
    pump.server.release(channel)
    pump.client.release(channel)
    assert (pump.client.channel_count, pump.server.channel_count) == (0, 0)
