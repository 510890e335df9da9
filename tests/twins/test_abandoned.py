"""Messages that are given up, told of, lost and acknowledged late: both cores send the same bytes."""

from __future__ import annotations

import random
from typing import Any

import pytest

from conftest import load_core
from core.pump import Pump, grant_credit
from fastmux import constants as c


def story(core: Any, seed: int, mode: int, value: int) -> list[object]:
    """All that a sender of messages sends over a wire that loses and delays, and what is left at the end."""
    rng = random.Random(seed)
    pump = Pump(core)
    channel = pump.client.open(c.KIND_MESSAGE, b"", 0, False, mode, value)
    pump.pump()
    told: list[object] = []
    late: list[bytes] = []
    for _ in range(120):
        for _ in range(rng.randrange(12)):
            pump.client.send_message(channel, bytes(rng.choice((1, 100, 700))), pump.now)
        packets = pump.packets(pump.client)
        told.append(packets)
        pump.receive_train(pump.server, [packet for packet in packets if rng.random() < 0.6])
        late += pump.packets(pump.server)
        if rng.random() < 0.5:  # ACKs come late: what they tell of was taken for lost
            pump.deliver(pump.client, late)
            late.clear()
        pump.advance(rng.choice((0.01, 0.05, 0.3)))
        pump.server.take_messages(channel, 99)
        told.append((pump.client.charges(), pump.client.deadlines()))
    for _ in range(200):
        pump.server.take_messages(channel, 99)
        grant_credit(pump.server)
        pump.round()
        pump.advance(0.3)
    assert pump.client.is_idle
    told.append(pump.client.counters())
    assert pump.client.counters()["messages_abandoned"] > 50
    assert (pump.client.charges().unacked, pump.client.charges().messages) == (0, 0)
    pump.close()
    return told


@pytest.mark.parametrize(("mode", "value"), [(c.UNRELIABLE, 0), (c.MAX_RETRANSMITS, 1), (c.LIFETIME, 60)])
@pytest.mark.parametrize("seed", range(6))
def test_both_cores_tell_of_the_same_messages(seed: int, mode: int, value: int) -> None:
    assert story(load_core("cython"), seed, mode, value) == story(load_core("python"), seed, mode, value)
