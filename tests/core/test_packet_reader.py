"""Trains are cut into packets; each is opened, filtered, checked and applied."""

from __future__ import annotations

import random

import pytest

from core.pump import CLIENT_ID, SERVER_ID, Pump
from fastmux import constants as c
from fastmux.exceptions import ProtocolError


def train(pump: Pump, count: int = 4) -> bytes:
    """A train of the client's, the last packet shorter than the others."""
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(range(256)) * ((count * 1150) // 256))
    return b"".join(pump.packets(pump.client))


def receive(pump: Pump, data: bytes, start: int = 0, size: int = -1) -> int:
    count: int = pump.server.receive(data, start, len(data) if size < 0 else size, 1200, pump.now)
    return count


def test_a_train_is_taken_whole(pump: Pump) -> None:
    data = train(pump)
    assert receive(pump, data) == len(data)
    assert pump.server.counters()["packets_received"] == 4
    assert pump.server.counters()["bytes_received"] == len(data)
    assert pump.server.last_received_at == pump.now


def test_a_train_may_start_anywhere_in_the_buffer(pump: Pump) -> None:
    data = train(pump)
    assert receive(pump, b"before" + data + b"behind", 6, len(data)) == len(data)
    assert pump.server.counters()["packets_received"] == 4


def test_it_stops_at_the_first_segment_that_is_not_ours(pump: Pump) -> None:
    data = train(pump)
    foreign = b"\x40another-" + data[1209:2400]
    assert receive(pump, data[:1200] + foreign + data[2400:]) == 1200
    long_header = b"\xc0" + data[1201:2400]
    assert receive(pump, data[:1200] + long_header + data[2400:]) == 1200
    no_fixed_bit = b"\x00" + data[1201:2400]
    assert receive(pump, no_fixed_bit) == 0
    assert receive(pump, b"\x40" + SERVER_ID[:5]) == 0


def test_a_segment_that_fails_does_not_discard_the_rest(pump: Pump) -> None:
    data = bytearray(train(pump))
    data[1300] ^= 1
    assert receive(pump, bytes(data)) == len(data)
    counters = pump.server.counters()
    assert (counters["undecryptable_packets"], counters["packets_received"]) == (1, 3)


def test_a_packet_too_short_for_a_tag_is_malformed(pump: Pump) -> None:
    assert receive(pump, b"\x40" + SERVER_ID + bytes(19)) == 28
    assert pump.server.counters()["malformed_packets"] == 1


def test_duplicates_are_dropped_after_authentication(pump: Pump) -> None:
    data = train(pump)
    for _ in range(3):
        receive(pump, data)
    counters = pump.server.counters()
    assert (counters["packets_received"], counters["duplicate_packets"]) == (4, 8)
    assert counters["glitches"] == 0


def test_an_error_leaves_the_packets_before_it_applied(pump: Pump) -> None:
    buffer = bytearray(1200)
    bad = pump.core.encode_frame((c.FRAME_STREAM, 400, 0, b"x", False))
    data = train(pump, 1)
    size = pump.client.build_packet(buffer, bad, 0, 0, pump.now)
    with pytest.raises(ProtocolError):
        pump.server.receive(data.ljust(1200, b"\0")[: len(data)], 0, len(data), 1200, pump.now)
        pump.server.receive(bytes(buffer[:size]), 0, size, 1200, pump.now)
    assert pump.server.channel_count == 1
    assert pump.server.counters()["packets_received"] == 1


def test_reserved_bits_of_an_authentic_packet_are_a_violation(pump: Pump) -> None:
    protection = pump.core.PacketProtection(c.SUITE_NULL, b"", bytes([3]) * 12)
    header = b"\x41" + SERVER_ID + bytes(4)
    packet = header + protection.seal(0, header, b"\x01")
    with pytest.raises(ProtocolError) as caught:
        receive(pump, packet)
    assert caught.value.code == c.PROTOCOL_VIOLATION


def test_a_flipped_key_phase_changes_nothing(pump: Pump) -> None:
    data = bytearray(train(pump, 1))
    data[0] |= c.KEY_PHASE_BIT
    receive(pump, bytes(data))
    assert pump.server.counters()["undecryptable_packets"] == 1


def test_without_keys_nothing_opens(pump: Pump) -> None:
    path = pump.core.DataPath(False, SERVER_ID)
    data = train(pump)
    assert path.receive(data, 0, len(data), 1200, pump.now) == len(data)
    assert path.counters()["undecryptable_packets"] == 4
    path.close()


def test_a_train_outside_the_buffer_is_a_value_error(pump: Pump) -> None:
    with pytest.raises(ValueError):
        receive(pump, bytes(100), 50, 51)
    with pytest.raises(ValueError):
        pump.server.receive(bytes(100), 0, 100, 0, pump.now)


def test_random_and_damaged_datagrams_do_no_harm(pump: Pump) -> None:
    rng = random.Random(1)
    good = train(pump)
    for _ in range(2000):
        packet = bytearray(good[:1200] if rng.random() < 0.5 else rng.randbytes(rng.randint(0, 1200)))
        if packet and rng.random() < 0.7:
            packet[0:9] = b"\x40" + SERVER_ID
        for _ in range(rng.randint(1, 4)):
            if packet:
                packet[rng.randrange(len(packet))] ^= rng.randint(1, 255)
        receive(pump, bytes(packet))
    assert (pump.server.channel_count, pump.server.held_size) == (0, 0)
    assert pump.server.counters()["packets_received"] == 0
    assert receive(pump, good) == len(good)
    assert pump.server.counters()["packets_received"] == 4


def test_authentic_rubbish_is_a_protocol_error_or_harmless(pump: Pump) -> None:
    rng = random.Random(2)
    buffer = bytearray(1300)
    for _ in range(2000):
        payload = rng.randbytes(rng.randint(1, 60))
        size = pump.client.build_packet(buffer, payload, 0, 0, pump.now)
        try:
            pump.server.receive(buffer, 0, size, size, pump.now)
        except ProtocolError:
            continue
    assert pump.server.held_size < 2**20


def test_our_own_packets_do_not_open(pump: Pump) -> None:
    data = train(pump)
    assert pump.client.receive(data, 0, len(data), 1200, pump.now) == len(data)
    assert pump.client.counters()["packets_received"] == 0
    assert CLIENT_ID not in data


def test_any_id_of_the_right_length_will_do_and_a_train_is_cut_where_it_changes(pump: Pump) -> None:
    """Which ids are the connection's its caller knows: there may be several (RFC 9000 §5.1)."""
    packets = []
    for number, name in enumerate([b"another!", b"another!", SERVER_ID]):
        pump.client.set_remote_id(name)
        packets.append(bytearray(100))
        assert pump.client.build_packet(packets[number], b"\x01", 100, 0, pump.now) == 100
    data = b"".join(packets)
    assert pump.server.receive(data, 0, 300, 100, pump.now) == 200
    assert pump.server.counters()["packets_received"] == 2
    assert pump.server.receive(data, 200, 100, 100, pump.now) == 100
    assert pump.server.counters()["packets_received"] == 3


PROBING = [
    (c.FRAME_PADDING, 5),
    (c.FRAME_PATH_CHALLENGE, bytes(8)),
    (c.FRAME_PATH_RESPONSE, bytes(8)),
    (c.FRAME_NEW_ID, 1, 0, b"new-id-1", bytes(16)),
]
OTHERS = [
    (c.FRAME_PING,),
    (c.FRAME_ACK, 0.0, ((0, 1),)),
    (c.FRAME_RETIRE_ID, 0),
    (c.FRAME_STREAM, 0, 0, b"data", False),
    (c.FRAME_DATAGRAM, b"data"),
    (c.FRAME_APPLICATION_CLOSE, 0, b""),
]


def test_only_packets_that_do_more_than_to_probe_raise_the_largest_non_probing_number(pump: Pump) -> None:
    pump.server.probe(1)
    pump.packets(pump.server)  # number 0 of the server, to acknowledge
    assert pump.server.largest_non_probing == -1
    for number, frame in enumerate(PROBING):
        pump.deliver(pump.server, [pump.sealed(pump.client, 0, number, frame)])
    pump.deliver(pump.server, [pump.sealed(pump.client, 0, 4, *PROBING)])
    assert pump.server.largest_non_probing == -1
    for number, frame in enumerate(OTHERS, 10):
        pump.deliver(pump.server, [pump.sealed(pump.client, 0, number, *PROBING, frame)])
        assert pump.server.largest_non_probing == number
    pump.deliver(pump.server, [pump.sealed(pump.client, 0, 9, (c.FRAME_PING,))])
    pump.deliver(pump.server, [pump.sealed(pump.client, 0, 20, *PROBING)])
    assert pump.server.largest_non_probing == 15


def test_an_extension_frame_is_more_than_a_probe(pump: Pump) -> None:
    pump.deliver(pump.server, [pump.sealed(pump.client, 0, 3, (c.FRAME_EXTENSION_FIRST + 0x32, b""))])
    assert pump.server.largest_non_probing == 3


def test_frames_that_change_nothing_are_a_glitch_and_many_for_python_too(pump: Pump) -> None:
    """RESET, STOP, MESSAGE_FIN and MESSAGE_ABANDON that repeat themselves were none, extensions neither."""
    opened = [(c.FRAME_OPEN, channel_id, 0, True, 0, 0, b"") for channel_id in (0, 4, 2, 6)]
    pump.deliver(pump.server, [pump.sealed(pump.client, 0, 0, *opened)])
    ends = (
        (c.FRAME_RESET, 0, 7, 5, 5),
        (c.FRAME_STOP, 4, 7),
        (c.FRAME_MESSAGE_FIN, 2, 5),
        (c.FRAME_MESSAGE_ABANDON, 6, ((0, 1), (4, 2))),
    )
    rare = [(c.FRAME_EXTENSION_FIRST, b"")] * (c.MAX_REPORTED_FRAMES + 1)
    number = 0
    for frames in (*((end,) for end in ends), rare[1:]):
        number += 1
        pump.deliver(pump.server, [pump.sealed(pump.client, 0, number, *frames)])
    assert pump.server.counters()["glitches"] == 0
    for count, frames in enumerate((*((end,) for end in ends), ends, rare), 1):
        number += 1
        pump.deliver(pump.server, [pump.sealed(pump.client, 0, number, *frames)])
        assert pump.server.counters()["glitches"] == count
