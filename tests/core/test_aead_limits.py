"""How much one key may seal, and how many packets may fail to open (RFC 9001 §6.6): the cores' own limits.

2^23 packets take a while, and 2^36 failures for ever: the counts begin just below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.pump import Pump
from fastmux import constants as c
from fastmux.exceptions import ProtocolError

GCM = [c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM]
LIMIT = c.AES_GCM_PACKET_LIMIT
KEPT = 64  # packets that `fill` leaves for the close
PING = b"\x01"


def keyed(pump: Pump, sealed: int = 0, failed: int = 0) -> Any:
    """The client's path, with counts that begin there."""
    mine, theirs = pump.keys(pump.client, 0), pump.keys(pump.server, 0)
    pump.client.set_keys(pump.suite, *mine, *theirs, sealed=sealed, failed=failed)
    return pump.client


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ProtocolError) as caught:
        call()
    assert caught.value.code == c.AEAD_LIMIT_REACHED
    return caught.value.reason


def fill(path: Any, pings: int = 1) -> int:
    """How many packets go with so many PING frames waiting, each of which wants one of its own."""
    segments = 0
    for _ in range(pings):
        path.queue_control(0, PING)
        segments += path.fill(bytearray(2000), 1200, 2**20, 100.0)[1]
    return segments


def build(path: Any) -> int:
    size: int = path.build_packet(bytearray(2000), PING, 0, 0, 100.0)
    return size


def test_the_limits_are_those_of_rfc_9001() -> None:
    assert c.AES_GCM_PACKET_LIMIT == 2**23
    assert c.AES_GCM_FAILURE_LIMIT == 2**52
    assert c.CHACHA20_FAILURE_LIMIT == 2**36
    assert c.KEY_UPDATE_INTERVAL == 2**22


@pytest.mark.parametrize("suite", GCM)
def test_a_key_of_aes_gcm_seals_its_last_packet_and_not_one_more(core: Any, suite: int) -> None:
    key, iv = bytes(c.SUITE_KEY_SIZES[suite]), bytes(12)
    protection = core.PacketProtection(suite, key, iv, sealed=LIMIT - 2)
    packets = [protection.seal(number, b"header", b"payload") for number in range(2)]
    assert "too many packets under one key" in refusal(lambda: protection.seal(2, b"header", b"payload"))
    assert refusal(lambda: protection.seal(3, b"header", b"payload"))  # and that is final
    assert [protection.open(number, b"header", packet) for number, packet in enumerate(packets)] == [
        b"payload",
        b"payload",
    ]


@pytest.mark.parametrize("suite", [c.SUITE_CHACHA20_POLY1305, c.SUITE_NULL])
def test_other_suites_have_no_limit_of_sealed_packets(core: Any, suite: int) -> None:
    key, iv = bytes(c.SUITE_KEY_SIZES[suite]), bytes(12)
    protection = core.PacketProtection(suite, key, iv, sealed=2**62 - 2)
    for number in range(3):
        assert protection.seal(number, b"header", b"payload")


@pytest.mark.parametrize("suite", GCM)
def test_trains_stop_while_the_close_can_still_be_sealed(make_pump: Callable[..., Pump], suite: int) -> None:
    pump = make_pump(suite=suite)
    path = keyed(pump, LIMIT - KEPT - 3)
    channel_id = path.open(c.KIND_STREAM)
    path.write(channel_id, bytes(60_000))
    size, segments = path.fill(bytearray(65536), 1200, 2**20, 100.0)
    assert (size, segments) == (3 * 1200, 3)  # a train is cut where the key ends
    assert "too many packets under one key" in refusal(lambda: fill(path))
    assert all(build(path) > 0 for _ in range(KEPT))
    assert refusal(lambda: build(path))


def test_acknowledgements_and_probes_count_too(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(suite=c.SUITE_AES_128_GCM)
    path = keyed(pump, LIMIT - KEPT - 4)
    pump.server.queue_control(0, PING)
    pump.deliver(path, pump.packets(pump.server))
    pump.now += 1.0
    assert len(pump.packets(path)) == 1  # only an ACK
    path.probe(2)
    assert len(pump.packets(path)) == 2
    assert build(path)
    assert refusal(lambda: fill(path))


def test_a_key_update_gives_the_whole_limit_again(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(suite=c.SUITE_AES_128_GCM)
    path = keyed(pump, LIMIT - KEPT - 1)
    path.set_next_keys(*pump.keys(path, 1), *pump.keys(pump.server, 1))
    assert fill(path) == 1
    assert refusal(lambda: fill(path))
    pump.deliver(path, [pump.sealed(pump.server, 0, 0, (c.FRAME_ACK, 0.0, ((0, 1),)))])
    assert path.update_keys()
    assert fill(path, 200) == 200


@pytest.mark.parametrize("suite", [*GCM, c.SUITE_CHACHA20_POLY1305])
def test_packets_that_do_not_open_are_counted_and_close_at_the_limit(
    make_pump: Callable[..., Pump], suite: int
) -> None:
    """The limit is ChaCha20's for all suites: the lower of the two."""
    pump = make_pump(suite=suite)
    path = keyed(pump, failed=c.CHACHA20_FAILURE_LIMIT - 3)
    pump.server.queue_control(0, PING)
    (packet,) = pump.packets(pump.server)
    forged = packet[:-1] + bytes((packet[-1] ^ 1,))
    pump.deliver(path, [forged, forged])
    assert path.counters()["undecryptable_packets"] == c.CHACHA20_FAILURE_LIMIT - 1
    pump.deliver(path, [packet])  # what is authentic counts for nothing
    assert "do not authenticate" in refusal(lambda: pump.deliver(path, [forged]))


def test_failures_under_a_forged_phase_bit_count_once_each(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(suite=c.SUITE_AES_128_GCM)
    path = keyed(pump, failed=c.CHACHA20_FAILURE_LIMIT - 2)
    path.set_next_keys(*pump.keys(path, 1), *pump.keys(pump.server, 1))
    forged = pump.sealed(pump.server, 0, 0, (c.FRAME_PING,), phase=1)
    pump.deliver(path, [forged])
    assert refusal(lambda: pump.deliver(path, [forged]))
