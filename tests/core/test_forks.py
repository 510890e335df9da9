"""A data path belongs to the process that made it: a child of fork neither seals nor opens with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.pump import Pump
from fastmux import constants as c
from fastmux.exceptions import ClosedResourceError
from forking import in_child, needs_fork

pytestmark = needs_fork
SUITES = [c.SUITE_NULL, c.SUITE_AES_128_GCM, c.SUITE_CHACHA20_POLY1305]
CALLS: dict[str, Callable[[Any, int], object]] = {
    "set_keys": lambda path, _: path.set_keys(c.SUITE_NULL, b"", bytes(12), b"", bytes(12)),
    "set_next_keys": lambda path, _: path.set_next_keys(bytes(16), bytes(12), bytes(16), bytes(12)),
    "update_keys": lambda path, _: path.update_keys(),
    "drop_old_keys": lambda path, _: path.drop_old_keys(),
    "receive": lambda path, _: path.receive(bytes(100), 0, 100, 100, 1.0),
    "fill": lambda path, _: path.fill(bytearray(2000), 1200, 2**20, 1.0),
    "build_packet": lambda path, _: path.build_packet(bytearray(2000), b"\x01", 0, 0, 1.0),
    "queue_control": lambda path, _: path.queue_control(0, b"\x01"),
    "open": lambda path, _: path.open(c.KIND_STREAM),
    "write": lambda path, channel_id: path.write(channel_id, b"data"),
    "read": lambda path, channel_id: path.read(channel_id, 100),
    "finish": lambda path, channel_id: path.finish(channel_id),
    "reset": lambda path, channel_id: path.reset(channel_id, 1),
    "release": lambda path, channel_id: path.release(channel_id),
    "send_datagram": lambda path, _: path.send_datagram(b"data"),
    "take_ready": lambda path, _: path.take_ready(),
    "take_control": lambda path, _: path.take_control(),
    "deadlines": lambda path, _: path.deadlines(),
    "skip_packet_number": lambda path, _: path.skip_packet_number(),
}


def refusal(call: Callable[[Any, int], object], path: Any, channel_id: int) -> str:
    with pytest.raises(ClosedResourceError) as caught:
        call(path, channel_id)
    return str(caught.value)


@pytest.mark.parametrize("suite", SUITES)
def test_in_a_child_every_call_says_that_it_was_forked_off(
    make_pump: Callable[..., Pump], suite: int
) -> None:
    pump = make_pump(suite=suite)
    channel_id = pump.client.open(c.KIND_STREAM)
    pump.client.write(channel_id, b"before the fork")

    def check() -> None:
        for call in CALLS.values():
            assert "forked off" in refusal(call, pump.client, channel_id)

    in_child(check)
    pump.pump()
    assert pump.server.read(channel_id, 100) == b"before the fork"  # the parent goes on


def test_in_a_child_figures_can_be_seen_and_the_copy_be_freed(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(suite=c.SUITE_AES_128_GCM)
    pump.client.queue_control(0, b"\x01")
    pump.pump()
    before = pump.client.counters()

    def check() -> None:
        assert pump.client.counters() == before
        assert (pump.client.held_size, pump.client.channel_count, pump.client.bytes_in_flight) == (0, 0, 0)
        pump.client.close()
        assert "the data path is closed" in refusal(CALLS["fill"], pump.client, 0)

    in_child(check)


def test_what_a_child_makes_is_its_own_and_not_its_childs(core: Any) -> None:
    def grandchild(pump: Pump) -> None:
        assert "forked off" in refusal(CALLS["fill"], pump.client, 0)

    def check() -> None:
        pump = Pump(core, suite=c.SUITE_AES_128_GCM)
        pump.client.queue_control(0, b"\x01")
        pump.pump()
        in_child(lambda: grandchild(pump))
        pump.client.queue_control(0, b"\x01")
        pump.pump()

    in_child(check)
