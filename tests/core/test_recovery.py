"""What becomes of the frames of a packet: acknowledged, lost, sent again for a probe."""

from __future__ import annotations

import random

import pytest

from core.pump import Pump, drop, read_all
from fastmux import constants as c


def kinds(frames: list[tuple[object, ...]]) -> list[object]:
    return [frame[0] for frame in frames]


def test_a_probe_carries_again_what_the_oldest_packet_carried(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, b"data")
    first = pump.frames(pump.client)
    pump.client.probe(1)
    assert pump.client.has_pending
    assert pump.frames(pump.client) == first
    assert not pump.client.has_pending


def test_a_probe_with_nothing_to_carry_is_a_ping(pump: Pump) -> None:
    pump.client.probe(2)
    assert [len(pump.core.parse_frames(p[13:-16])) > 0 for p in pump.packets(pump.client)] == [True, True]
    pump.client.probe(1)
    assert kinds(pump.frames(pump.client)) == [c.FRAME_PING]


def test_probes_need_no_room_in_the_congestion_window(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(9000))
    pump.packets(pump.client)
    pump.client.probe(2)
    assert len(pump.packets(pump.client, size_limit=0)) == 2
    assert pump.packets(pump.client, size_limit=0) == []


def test_an_acknowledged_packet_is_not_probed(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, b"data")
    pump.pump()
    pump.client.probe(1)
    assert kinds(pump.frames(pump.client)) == [c.FRAME_PING]


def test_every_kind_of_frame_is_sent_again_when_lost(pump: Pump) -> None:
    stream, channel = pump.client.open(c.KIND_STREAM), pump.client.open(c.KIND_MESSAGE)
    pump.pump()
    pump.client.write(stream, b"data")
    pump.client.finish(stream)
    pump.client.send_message(channel, b"message", pump.now)
    pump.client.finish(channel)
    pump.client.stop(channel, 5)
    pump.client.set_limit(c.CONNECTION_CHANNEL, 2**22, 2**20)
    pump.client.set_limit(stream, 2**20, 2**20)
    pump.client.set_channel_limit(c.KIND_STREAM, 500)
    other = pump.client.open(c.KIND_STREAM)
    pump.client.reset(other, 3)
    first = pump.frames(pump.client)
    pump.client.probe(1)
    assert sorted(map(str, pump.frames(pump.client))) == sorted(map(str, first))
    pump.pump()
    assert read_all(pump.server, stream) == b"data"
    assert pump.server.take_message(channel) == b"message"
    assert pump.server.reset_code(other) == 3
    assert pump.server.stop_code(channel) == 5


def test_only_the_newest_limit_is_sent_again(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.pump()
    for limit in (100_000, 200_000):
        pump.client.set_limit(stream, limit, 65536)
        pump.client.set_limit(c.CONNECTION_CHANNEL, 2**20 + limit, 2**20)
        pump.client.set_channel_limit(c.KIND_STREAM, limit)
        pump.packets(pump.client)
    pump.client.probe(5)
    again = pump.frames(pump.client)
    limits = [frame[-1] for frame in again if frame[0] != c.FRAME_PING]
    assert sorted(limits) == [200_000, 200_000, 2**20 + 200_000]


def test_packets_are_lost_by_number_and_by_time(pump: Pump) -> None:
    pump.client.set_loss_delay(0.05)
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, b"a")
    pump.packets(pump.client)
    pump.client.write(stream, b"b")
    pump.send(pump.client)
    pump.now += 0.03
    pump.send(pump.server)
    at = pump.client.deadlines().loss_at
    assert at == pytest.approx(pump.now + 0.02)
    pump.client.detect_losses(at)
    assert pump.client.counters()["packets_lost"] == 1
    assert (c.FRAME_STREAM, stream, 0, b"a", False) in pump.frames(pump.client)


def test_the_summary_tells_of_an_acknowledged_train(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(5000))
    pump.send(pump.client)
    in_flight = pump.client.bytes_in_flight
    assert in_flight > 5000
    pump.now += 0.02
    pump.send(pump.server)
    summary = pump.client.take_ack_summary()
    assert (summary.acked_size, summary.bytes_in_flight) == (in_flight, 0)
    assert summary.latest_rtt == pytest.approx(0.02)
    assert pump.client.take_ack_summary() is None


def test_a_skipped_number_is_a_trap_for_optimistic_acks(pump: Pump) -> None:
    pump.client.queue_control(0, b"\x01")
    pump.send(pump.client)
    assert pump.client.skip_packet_number() == 1
    pump.client.queue_control(0, b"\x01")
    pump.send(pump.client)
    assert pump.forbidden(pump.client, (c.FRAME_ACK, 0.0, ((0, 3),))) == c.PROTOCOL_VIOLATION
    assert pump.forbidden(pump.client, (c.FRAME_ACK, 0.0, ((0, 9),))) == c.PROTOCOL_VIOLATION
    pump.pump()
    assert pump.client.bytes_in_flight == 0


@pytest.mark.parametrize("seed", range(8))
def test_under_heavy_losses_everything_gets_there(pump: Pump, seed: int) -> None:
    rng = random.Random(seed)
    data = rng.randbytes(40_000)
    streams = [pump.client.open(c.KIND_STREAM) for _ in range(3)]
    for stream in streams:
        pump.client.write(stream, data)
        pump.client.finish(stream)
    pump.pump(lambda number: rng.random() > 0.4)
    assert [read_all(pump.server, stream) for stream in streams] == [data] * 3


@pytest.mark.parametrize("lost", range(12))
def test_losing_any_pair_of_datagrams_of_a_short_exchange_loses_nothing(pump: Pump, lost: int) -> None:
    stream, channel = pump.client.open(c.KIND_STREAM), pump.client.open(c.KIND_MESSAGE)
    pump.client.write(stream, bytes(2000))
    pump.client.send_message(channel, b"message", pump.now)
    pump.client.finish(stream)
    pump.client.finish(channel)
    pump.pump(drop([lost, lost + 1]))
    assert len(read_all(pump.server, stream)) == 2000
    assert pump.server.take_message(channel) == b"message"
    assert pump.server.is_finished(stream) and pump.server.is_finished(channel)


def test_a_peer_that_acknowledges_nothing_makes_no_ledger_grow(pump: Pump) -> None:
    """Each ACK takes a packet number: behind one packet in flight they must not add up."""
    stream = pump.client.open(c.KIND_STREAM)
    pump.pump()
    pump.server.queue_control(0, bytes([c.FRAME_PING]))
    pump.packets(pump.server)  # the one that is never acknowledged
    before = pump.core.live()[0]
    for _ in range(3000):
        pump.client.write(stream, b"x")
        pump.deliver(pump.server, pump.packets(pump.client))
        pump.client.write(stream, b"x")
        pump.deliver(pump.server, pump.packets(pump.client))
        pump.server.read(stream, 100)
        assert len(pump.packets(pump.server)) == 1
        if pump.client.bytes_in_flight > 20_000:
            pump.inject(pump.client, (c.FRAME_ACK, 0.0, ((0, pump.client.counters()["packets_sent"]),)))
    assert pump.server.counters()["acks_sent"] >= 3000
    assert pump.core.live()[0] - before <= 40_000


def test_what_was_sent_on_a_path_that_was_left_counts_no_more_but_still_arrives(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(5000))
    packets = pump.packets(pump.client)
    pump.client.leave_path()
    assert pump.client.bytes_in_flight == 0
    assert pump.client.deadlines().last_eliciting_sent_at is None
    pump.deliver(pump.server, packets)
    pump.deliver(pump.client, pump.packets(pump.server))
    summary = pump.client.take_ack_summary()
    assert (summary.acked_size, summary.acked_packets, summary.latest_rtt) == (0, 0, None)
    assert summary.delivery_rate is None
    assert pump.client.watch_delivered(stream)


def test_what_was_lost_on_a_path_that_was_left_goes_again_without_a_loss_being_told(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(9000))
    pump.packets(pump.client)  # lost
    pump.client.probe(2)
    pump.client.leave_path()
    pump.now += 0.1
    pump.deliver(pump.server, pump.packets(pump.client, size_limit=0))  # the probes, on the new path
    pump.now += 0.1
    pump.deliver(pump.client, pump.packets(pump.server))
    pump.client.detect_losses(pump.now)
    summary = pump.client.take_ack_summary()
    assert (summary.lost_size, summary.lost_packets, summary.lost_span) == (0, 0, 0.0)
    assert summary.largest_lost_sent_at is None
    assert pump.client.largest_lost >= 0  # that they were lost can be seen all the same
    assert summary.acked_packets == 2
    assert summary.latest_rtt == pytest.approx(0.1)
    pump.pump()
    assert len(read_all(pump.server, stream)) == 9000


def test_a_summary_that_was_not_taken_is_gone_with_its_path(pump: Pump) -> None:
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(5000))
    pump.deliver(pump.server, pump.packets(pump.client))
    pump.deliver(pump.client, pump.packets(pump.server))
    pump.client.leave_path()
    assert pump.client.take_ack_summary() is None


def test_the_round_trip_of_an_ack_counts_for_what_it_declares_lost(pump: Pump) -> None:
    """Guards: packets that swapped places were lost by the delay of before the path was clogged (§6.1.2)."""
    client, server = pump.client, pump.server
    stream = client.open(c.KIND_STREAM)
    pump.pump()
    client.take_ack_summary()
    client.set_loss_delay(0.01)
    client.write(stream, b"first")
    sent_at = pump.now
    (first,) = pump.packets(client)
    client.write(stream, b"second")
    (second,) = pump.packets(client)
    before = client.counters()["packets_lost"]
    server.receive(second, 0, len(second), len(second), sent_at + 0.05)
    (ack,) = pump.packets(server)
    client.receive(ack, 0, len(ack), len(ack), sent_at + 0.1)
    assert client.counters()["packets_lost"] == before
    assert client.deadlines().loss_at == pytest.approx(sent_at + 0.1 * c.K_TIME_THRESHOLD)
    client.detect_losses(sent_at + 0.112)
    assert client.counters()["packets_lost"] == before
    client.detect_losses(sent_at + 0.113)
    assert client.counters()["packets_lost"] == before + 1


def test_a_sample_that_was_taken_counts_by_the_loss_delay_alone(pump: Pump) -> None:
    client, server = pump.client, pump.server
    stream = client.open(c.KIND_STREAM)
    client.write(stream, b"first")
    (first,) = pump.packets(client)
    client.write(stream, b"second")
    (second,) = pump.packets(client)
    server.receive(second, 0, len(second), len(second), pump.now)
    (ack,) = pump.packets(server)
    client.receive(ack, 0, len(ack), len(ack), pump.now + 1.0)
    assert client.counters()["packets_lost"] == 0
    client.take_ack_summary()
    client.set_loss_delay(0.5)
    client.detect_losses(pump.now + 1.0)
    assert client.counters()["packets_lost"] == 1
