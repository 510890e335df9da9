"""Packets are filled, sealed and put side by side into trains."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.pump import SEGMENT_SIZE, SERVER_ID, Pump
from fastmux import constants as c
from fastmux.exceptions import ProtocolError


def loaded(pump: Pump, size: int = 50_000) -> int:
    """A stream of the client's with that much to send."""
    stream: int = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(size))
    return stream


def test_every_packet_but_the_last_has_the_size_of_a_segment(pump: Pump) -> None:
    loaded(pump, 5000)
    sizes = [len(packet) for packet in pump.packets(pump.client)]
    assert sizes[:-1] == [1200] * 4
    assert 300 < sizes[-1] < 400


def test_a_train_ends_where_the_buffer_does(pump: Pump) -> None:
    loaded(pump)
    assert pump.client.fill(bytearray(3 * 1200 + 1199), 1200, 2**20, pump.now) == (3600, 3)
    assert pump.client.fill(bytearray(1199), 1200, 2**20, pump.now) == (0, 0)


def test_a_large_buffer_is_filled_with_more_than_one_send_call_takes(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(max_channel_data=2**20)
    loaded(pump, 500_000)
    assert pump.client.fill(bytearray(100_000), 600, 2**20, pump.now) == (166 * 600, 166)
    assert pump.client.fill(bytearray(100_000), 1452, 2**20, pump.now) == (68 * 1452, 68)


def test_bytes_in_flight_stay_within_the_limit(pump: Pump) -> None:
    loaded(pump)
    assert pump.client.fill(bytearray(12_000), 1200, 3599, pump.now) == (2400, 2)
    assert pump.client.bytes_in_flight == 2400
    assert pump.client.fill(bytearray(12_000), 1200, 1199, pump.now) == (0, 0)
    assert pump.client.has_pending


def test_bytes_in_flight_are_those_of_the_packets(pump: Pump) -> None:
    loaded(pump, 3000)
    size = sum(map(len, pump.packets(pump.client)))
    assert pump.client.bytes_in_flight == size == pump.client.counters()["bytes_sent"]


def test_nothing_to_send_fills_nothing(pump: Pump) -> None:
    assert pump.client.fill(bytearray(12_000), 1200, 2**20, pump.now) == (0, 0)
    assert not pump.client.has_pending
    assert pump.client.is_idle


def test_without_keys_nothing_is_sent(pump: Pump) -> None:
    path = pump.core.DataPath(True, b"12345678")
    path.probe(1)
    assert path.fill(bytearray(1200), 1200, 2**20, 0.0) == (0, 0)
    with pytest.raises(ValueError):
        path.build_packet(bytearray(1200), b"\x01", 0, 0, 0.0)
    path.close()


@pytest.mark.parametrize("segment_size", [0, 1, 511, 65508, 1 << 59, c.MAX_VARINT])
def test_a_segment_too_small_for_every_frame_or_for_udp_is_a_value_error(
    pump: Pump, segment_size: int
) -> None:
    with pytest.raises(ValueError):
        pump.client.fill(bytearray(2000), segment_size, 2000, pump.now)


def test_a_built_packet_is_padded_to_its_size(pump: Pump) -> None:
    buffer = bytearray(1500)
    assert pump.client.build_packet(buffer, b"\x01", 1452, 5, pump.now) == 1452
    assert pump.server.receive(buffer, 0, 1452, 1452, pump.now) == 1452
    assert pump.server.counters()["packets_received"] == 1
    assert pump.client.build_packet(buffer, b"\x01", 0, 0, pump.now) == 30


def test_the_fate_of_a_built_packet_is_told_and_stays_out_of_the_account(pump: Pump) -> None:
    buffer = bytearray(1500)
    size = pump.client.build_packet(buffer, b"\x01", 1452, 5, pump.now)
    assert pump.client.bytes_in_flight == 1452
    pump.deliver(pump.server, [bytes(buffer[:size])])
    pump.now += 1
    pump.send(pump.server)
    assert pump.client.take_control() == [(c.CONTROL_ACKED, 5)]
    summary = pump.client.take_ack_summary()
    assert (summary.acked_size, summary.bytes_in_flight, summary.latest_rtt) == (0, 0, 1.0)
    pump.client.build_packet(buffer, b"\x01", 1452, 6, pump.now)
    for _ in range(4):
        pump.client.queue_control(0, b"\x01")
        pump.send(pump.client)
    pump.send(pump.server)
    assert pump.client.take_control() == [(c.CONTROL_LOST, 6)]
    assert pump.client.take_ack_summary().lost_size == 0


def test_a_built_packet_without_token_is_not_tracked(pump: Pump) -> None:
    pump.client.build_packet(bytearray(1500), b"\x01", 0, 0, pump.now)
    assert pump.client.bytes_in_flight == 0
    assert pump.client.deadlines().last_eliciting_sent_at is None


def test_a_packet_that_does_not_fit_is_a_value_error(pump: Pump) -> None:
    with pytest.raises(ValueError):
        pump.client.build_packet(bytearray(100), b"\x01", 101, 0, pump.now)
    with pytest.raises(ValueError):
        pump.client.build_packet(bytearray(100), b"", 0, 0, pump.now)
    assert pump.client.counters()["packets_sent"] == 0


def test_packet_numbers_may_start_anywhere(make_pump: Callable[..., Pump]) -> None:
    pump = make_pump(initial_packet_number=1000)
    stream = loaded(pump, 3000)
    pump.pump()
    assert pump.server.readable_size(stream) == 3000
    assert pump.forbidden(pump.client, (c.FRAME_ACK, 0.0, ((5, 6),))) == c.PROTOCOL_VIOLATION


def test_packet_numbers_end_and_some_are_left_for_the_close(make_pump: Callable[..., Pump]) -> None:
    # found while fuzzing was built: numbers went on beyond 2^62-1, where no header and no ACK can tell them
    pump = make_pump(initial_packet_number=c.MAX_PACKET_NUMBER - 99)
    loaded(pump, 60_000)
    buffer = bytearray(200 * SEGMENT_SIZE)
    assert pump.client.fill(buffer, SEGMENT_SIZE, 2**20, pump.now)[1] == 36
    with pytest.raises(ProtocolError) as caught:
        pump.client.fill(buffer, SEGMENT_SIZE, 2**20, pump.now)
    assert caught.value.code == c.AEAD_LIMIT_REACHED
    for _ in range(64):
        assert pump.client.build_packet(buffer, b"\x01", 0, 0, pump.now)
    with pytest.raises(ProtocolError) as caught:
        pump.client.build_packet(buffer, b"\x01", 0, 0, pump.now)
    assert caught.value.code == c.AEAD_LIMIT_REACHED


def test_stopping_for_lack_of_data_makes_samples_app_limited(pump: Pump) -> None:
    stream = loaded(pump, 100)
    pump.send(pump.client)
    pump.client.write(stream, b"x")
    pump.send(pump.client)
    pump.now += 0.1
    pump.send(pump.server)
    assert pump.client.take_ack_summary().is_app_limited


def test_idle_means_nothing_waits_and_all_is_acknowledged(pump: Pump) -> None:
    assert pump.client.is_idle
    stream = loaded(pump, 100)
    assert not pump.client.is_idle
    pump.send(pump.client)
    assert not pump.client.is_idle
    pump.pump()
    assert pump.client.is_idle
    pump.client.finish(stream)
    assert not pump.client.is_idle
    pump.pump()
    assert pump.client.is_idle


@pytest.mark.parametrize("size", range(1100, 1200, 7))
def test_data_that_nearly_fills_a_packet_arrives_whole(pump: Pump, size: int) -> None:
    streams = [pump.client.open(c.KIND_STREAM) for _ in range(3)]
    for stream in streams:
        pump.client.write(stream, bytes([stream]) * size)
    pump.pump()
    for stream in streams:
        assert pump.server.read(stream, 2000) == bytes([stream]) * size


def test_packets_are_addressed_to_the_id_that_was_set_last(pump: Pump) -> None:
    for name in (b"four", b"twenty bytes in all-", SERVER_ID):
        pump.client.set_remote_id(name)
        pump.client.probe(1)
        (packet,) = pump.packets(pump.client, size_limit=0)
        assert packet[1 : 1 + len(name)] == name
    for wrong in (b"abc", bytes(21)):
        with pytest.raises(ValueError):
            pump.client.set_remote_id(wrong)
    pump.client.probe(1)
    assert pump.packets(pump.client, size_limit=0)[0][1:9] == SERVER_ID
