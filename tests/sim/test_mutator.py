"""What the hostile end sends is authentic, and differs from what it meant only where a strike says so."""

from __future__ import annotations

from typing import Any

import pytest

from fastmux import constants as c
from fastmux import core
from sim.mutator import FLOOD_SIZE, Change, Mutator, Strike
from sim.test_witness import PING, Wire, keys_of, stream
from sim.wiretap import Wiretap

CLIENT = c.ROLE_CLIENT
FRAMES = [stream(0, 0, 50), PING, (c.FRAME_MAX_DATA, 5000)]


def mutated(change: Change, *, count: int = 6, suite: int = c.SUITE_NULL) -> list[list[tuple[int, bytes]]]:
    """Number and payload of what goes in the place of each of `count` packets; the third is struck."""
    wire = Wire(suite)
    tap, reader = Wiretap(8), Wiretap(8)
    for one in (tap, reader):
        one.set_keys(keys_of(CLIENT, suite))
    noted: list[bytes] = []
    mutator = Mutator(tap, (Strike(2, change, 5),), lambda data, number, payload: noted.append(data))
    found: list[list[tuple[int, bytes]]] = []
    for number in range(count):
        sent = mutator(wire.packet(CLIENT, number, FRAMES))
        assert noted[-len(sent) :] == sent
        opened = [reader.open(data) for data in sent]
        found.append([(packet.number, packet.payload) for packet in opened if packet is not None])
        assert len(found[-1]) == len(sent)  # all of it is authentic
    assert mutator.is_over
    return found


def payload_of(frames: list[tuple[Any, ...]]) -> bytes:
    return b"".join(core.encode_frame(frame) for frame in frames)


@pytest.mark.parametrize("suite", [c.SUITE_NULL, c.SUITE_AES_128_GCM])
@pytest.mark.parametrize(
    "change", [change for change in Change if change not in (Change.NUMBER, Change.HANDSHAKE)]
)
def test_only_the_packet_that_is_struck_is_another(change: Change, suite: int) -> None:
    found = mutated(change, suite=suite)
    for place, packets in enumerate(found):
        if place != 2:
            assert [payload for _, payload in packets] == [payload_of(FRAMES)]
    if change not in (Change.OLD, Change.SWAP):  # which may give what there was
        assert [payload for _, payload in found[2]] != [payload_of(FRAMES)]


def test_a_flood_is_many_packets_and_numbers_go_on_after_it() -> None:
    found = mutated(Change.FLOOD)
    assert len(found[2]) == FLOOD_SIZE + 1
    numbers = [number for packets in found for number, _ in packets]
    assert numbers == list(range(len(numbers)))


def test_numbers_go_on_from_where_a_strike_moved_them() -> None:
    found = mutated(Change.NUMBER)
    (after,) = [number for number, _ in found[3]]
    assert after >= 3
    assert [number for number, _ in found[4]] == [after + 1]
