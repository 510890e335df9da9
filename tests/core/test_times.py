"""Times: every call that takes one refuses what has no order, in both cores, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.pump import Pump
from fastmux import constants as c
from fastmux.exceptions import ClosedResourceError

WRONG = [float("nan"), float("inf"), -float("inf"), -1.0, -5e-324, -1]
CALLS: dict[str, Callable[[Any, Any], object]] = {
    "receive": lambda path, at: path.receive(bytes(100), 0, 100, 100, at),
    "fill": lambda path, at: path.fill(bytearray(1200), 1200, 9999, at),
    "build_packet": lambda path, at: path.build_packet(bytearray(1200), b"\x01", 0, 1, at),
    "detect_losses": lambda path, at: path.detect_losses(at),
    "expire": lambda path, at: path.expire(at),
    "send_message": lambda path, at: path.send_message(2, b"x", at),
    "send_messages": lambda path, at: path.send_messages(2, [b"x"], at),
    "wants_fill": lambda path, at: path.wants_fill(at),
    "set_loss_delay": lambda path, at: path.set_loss_delay(at),
    "set_ack_policy": lambda path, at: path.set_ack_policy(1, at, 1),
}
OTHERS: dict[str, Callable[[Any, Any], object]] = {
    "DataPath": lambda core, at: core.DataPath(True, b"12345678", max_ack_delay=at),
    "ReceivedPackets.add": lambda core, at: core.ReceivedPackets().add(1, at, True),
    "SentPackets.add": lambda core, at: core.SentPackets().add(1200, at),
    "SentPackets.acknowledge": lambda core, at: one_sent(core).acknowledge([(0, 1)], 0.0, at),
    "SentPackets.acknowledge, delay": lambda core, at: one_sent(core).acknowledge([(0, 1)], at, 1.0),
    "SentPackets.detect_losses": lambda core, at: one_sent(core).detect_losses(0.0, at),
    "SentPackets.detect_losses, delay": lambda core, at: one_sent(core).detect_losses(at, 1.0),
}


def one_sent(core: Any) -> Any:
    sent = core.SentPackets()
    sent.add(1200, 1.0)
    return sent


def lifetime_channel(pump: Pump) -> int:
    channel: int = pump.client.open(c.KIND_MESSAGE, b"", 0, False, c.LIFETIME, 100)
    return channel


@pytest.mark.parametrize("at", WRONG)
@pytest.mark.parametrize("name", CALLS)
def test_a_time_that_is_negative_or_not_finite_is_a_value_error(pump: Pump, name: str, at: float) -> None:
    assert lifetime_channel(pump) == 2
    before = (pump.client.deadlines(), pump.client.counters(), pump.client.charges())
    with pytest.raises(ValueError, match="must be finite and not negative"):
        CALLS[name](pump.client, at)
    assert (pump.client.deadlines(), pump.client.counters(), pump.client.charges()) == before


@pytest.mark.parametrize("at", WRONG)
@pytest.mark.parametrize("name", OTHERS)
def test_the_same_holds_for_what_a_data_path_is_made_of(core: Any, name: str, at: float) -> None:
    with pytest.raises(ValueError, match="must be finite and not negative"):
        OTHERS[name](core, at)


@pytest.mark.parametrize("at", ["1", b"1", None, [1.0], 1j])
def test_what_is_no_number_is_no_time(core: Any, pump: Pump, at: object) -> None:
    lifetime_channel(pump)
    for call in CALLS.values():
        with pytest.raises(TypeError):
            call(pump.client, at)
    for call in OTHERS.values():
        with pytest.raises(TypeError):
            call(core, at)


class Moment:
    """A number in all but name."""

    def __float__(self) -> float:
        return 1.5


@pytest.mark.parametrize("at", [0, 0.0, -0.0, True, Moment(), 1e300])
def test_any_other_number_is_a_time(core: Any, pump: Pump, at: Any) -> None:
    lifetime_channel(pump)
    for name, call in CALLS.items():
        if name != "build_packet":  # a report of that would wait for its ACK
            call(pump.client, at)
    for call in OTHERS.values():
        call(core, at)


def test_an_acknowledgement_that_waited_beyond_all_bounds_says_the_longest_delay(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, b"x")
    pump.send(pump.client)
    for at in (1e18, 1e300, 1.7e308):
        pump.inject(pump.server, (c.FRAME_PING,))
        pump.now = at
        (ack,) = [frame for frame in pump.frames(pump.server) if frame[0] == c.FRAME_ACK]
        assert ack[1] == c.MAX_VARINT / 125_000
        pump.now = 100.0


def test_a_message_that_expires_at_once_is_given_up(pump: Pump) -> None:
    """At time 0 a deadline is a deadline: the compiled core has a mark for none."""
    channel = pump.client.open(c.KIND_MESSAGE, b"", 0, False, c.LIFETIME, 0)
    pump.client.send_message(channel, b"x", 0.0)
    assert pump.client.deadlines().expiry_at == 0.0
    pump.client.expire(0.0)
    assert pump.client.deadlines().expiry_at is None
    assert pump.client.counters()["messages_abandoned"] == 1


def test_an_acknowledgement_is_due_at_time_zero_too(pump: Pump) -> None:
    pump.now = 0.0
    pump.client.set_ack_policy(0, 0.0, 1)
    pump.inject(pump.client, (c.FRAME_PING,))
    assert pump.client.deadlines().ack_at == 0.0
    assert pump.client.wants_fill(0.0)


@pytest.mark.parametrize("name", CALLS)
def test_a_closed_path_says_so_before_it_looks_at_a_time(core: Any, name: str) -> None:
    path = core.DataPath(True, b"12345678")
    path.close()
    with pytest.raises(ClosedResourceError):
        CALLS[name](path, "no time")
