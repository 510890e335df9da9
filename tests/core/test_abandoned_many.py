"""Very many messages that were given up: telling of one costs the same, however many others there are."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import Any

import pytest

from core.pump import Pump
from fastmux import constants as c

COUNT = 100_000
WIDE = {"max_data": 1 << 40, "max_channel_data": 1 << 40}
SMALL = 512  # bytes of a packet: few entries each, so that what does not belong to them shows
MOST = 8  # times as long; what grows with COUNT is 30 times as long and more


@pytest.fixture
def lossy(core: Any) -> Any:
    """A pump whose client has lost COUNT unreliable messages, and the seconds that it took to see that."""
    pump = Pump(core, **WIDE)
    channel = pump.client.open(c.KIND_MESSAGE, b"", 0, False, c.UNRELIABLE, 0)
    pump.pump()
    for _ in range(COUNT):
        pump.client.send_message(channel, b"x", pump.now)
    pump.client.fill(bytearray(1 << 25), 1200, 1 << 40, pump.now)
    for _ in range(4):  # later packets that arrive show the loss
        pump.client.queue_control(0, b"\x01")
        pump.deliver(pump.server, pump.packets(pump.client)[:1])
    pump.server.set_ack_policy(0, 0.0, 1)
    packets = pump.packets(pump.server)
    began_at = perf_counter()
    pump.deliver(pump.client, packets)
    yield pump, perf_counter() - began_at
    assert pump.client.counters()["messages_abandoned"] == COUNT
    pump.close()


def timed_fill(pump: Pump, buffer: bytearray) -> float:
    began_at = perf_counter()
    size, _ = pump.client.fill(buffer, SMALL, 1 << 40, pump.now)
    assert size
    return perf_counter() - began_at


def test_a_packet_that_tells_of_them_takes_as_long_at_the_end_as_at_the_beginning(lossy: Any) -> None:
    pump, _ = lossy
    buffer, taken = bytearray(SMALL), []
    while pump.client.has_pending:
        taken.append(timed_fill(pump, buffer))
    first, last = median(taken[:100]), median(taken[-100:])
    assert max(first, last) < MOST * min(first, last)


def test_their_acknowledgements_take_no_longer_than_it_took_to_find_them_lost(lossy: Any) -> None:
    pump, found_in = lossy
    buffer, answer = bytearray(1 << 16), bytearray(1 << 16)
    seconds = 0.0
    while not pump.client.is_idle:
        size, _ = pump.client.fill(buffer, 1200, 1 << 16, pump.now)
        if size:
            pump.server.receive(buffer, 0, size, 1200, pump.now)
        size, _ = pump.server.fill(answer, 1200, 1 << 16, pump.now)
        assert size
        began_at = perf_counter()
        pump.client.receive(answer, 0, size, 1200, pump.now)
        seconds += perf_counter() - began_at
    assert seconds < MOST * found_in
