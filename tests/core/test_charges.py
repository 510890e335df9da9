"""What a data path says that it holds: the same in both cores, no less than the compiled one takes."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from budget.charging import BASE
from conftest import load_core
from core.pump import Pump
from fastmux import constants as c
from fastmux.exceptions import ClosedResourceError
from fastmux.records import Charges
from fuzz.corpus import inputs_of
from fuzz.targets import TARGETS, connection, drawn

NOTHING = Charges(*(0,) * len(Charges._fields))
DRAWN = 150


def inputs() -> list[bytes]:
    return [*inputs_of(TARGETS["connection"]), *(drawn.session(Random(seed)) for seed in range(DRAWN))]


def charges_of(core: Any, data: bytes) -> list[Charges]:
    """After each step of a session."""
    found: list[Charges] = []
    before = core.live()

    def look(path: Any) -> None:
        found.append(path.charges())
        if core.IMPLEMENTATION == "cython":
            assert core.live()[0] - before[0] <= found[-1].total + BASE

    session = connection.run(core, data, look)
    session.path.close()
    return found


def test_both_cores_charge_the_same_after_each_step_of_any_session() -> None:
    compiled, pure = load_core("cython"), load_core("python")
    different = [data.hex() for data in inputs() if charges_of(compiled, data) != charges_of(pure, data)]
    assert different == []


def test_a_new_path_holds_nothing_and_a_closed_one_says_so(core: Any) -> None:
    path = core.DataPath(True, b"12345678")
    assert path.charges() == NOTHING
    path.close()
    with pytest.raises(ClosedResourceError):
        path.charges()


def test_what_is_written_is_unsent_then_unacked_then_gone(core: Any) -> None:
    pump = Pump(core)
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(3000))
    assert (pump.client.charges().unsent, pump.client.charges().unacked) == (3000, 0)
    pump.send(pump.client)
    assert (pump.client.charges().unsent, pump.client.charges().unacked) == (0, 3000)
    assert pump.client.charges().ledger == 3 * c.PACKET_CHARGE
    assert pump.server.charges().received == c.BLOCK_SIZE
    pump.pump()
    charges = pump.client.charges()
    assert charges == NOTHING._replace(channels=c.CHANNEL_CHARGE, spans=charges.spans)


@pytest.mark.parametrize("kind", [c.KIND_STREAM, c.KIND_MESSAGE])
def test_a_reset_gives_back_what_was_not_confirmed(core: Any, kind: int) -> None:
    pump = Pump(core)
    channel = pump.client.open(kind)
    if kind == c.KIND_STREAM:
        pump.client.write(channel, bytes(5000))
    else:
        pump.client.send_message(channel, bytes(5000), pump.now)
    pump.send(pump.client)
    assert pump.client.charges().unacked >= 5000
    pump.client.reset(channel, 1)
    assert pump.client.charges().unacked == 0


def test_an_abandoned_message_counts_until_the_peer_knows(core: Any) -> None:
    pump = Pump(core)
    channel = pump.client.open(c.KIND_MESSAGE, b"", 0, True, c.UNRELIABLE, 0)
    pump.client.send_message(channel, bytes(500), pump.now)
    pump.packets(pump.client)  # lost
    pump.client.queue_control(0, b"\x01")
    pump.send(pump.client)
    pump.send(pump.server)
    pump.advance(1.0)
    pump.client.detect_losses(pump.now)
    assert pump.client.counters()["messages_abandoned"] == 1
    assert pump.client.charges().unacked == 4 * c.FRAGMENT_UNIT
    assert pump.client.charges().messages == c.PARTIAL_CHARGE
    pump.pump()
    assert pump.client.charges().unacked == pump.client.charges().messages == 0


def test_what_waits_is_charged_beside_its_bytes(core: Any) -> None:
    pump = Pump(core)
    pump.client.queue_control(0, b"\x01")
    assert pump.client.charges().control == 1 + c.CONTROL_CHARGE
    pump.client.send_datagram(b"12345")
    assert pump.client.charges().datagrams == 5 + c.DATAGRAM_CHARGE
    pump.inject(pump.server, (c.FRAME_CONNECTION_CLOSE, 1, b"why"))
    assert pump.server.charges().reports == c.REPORT_CHARGE + 3
