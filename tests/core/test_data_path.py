"""The data path as a whole: suites, both cores together, memory."""

from __future__ import annotations

import random
from typing import Any

import pytest

from conftest import CORES, load_core
from core.conftest import settled
from core.pump import CLIENT_ID, Pump, read_all
from fastmux import constants as c

SUITES = [c.SUITE_NULL, c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM, c.SUITE_CHACHA20_POLY1305]


def exchange(pump: Pump, seed: int, loss: float) -> None:
    """Mixed channels both ways over a lossy wire; everything must get there."""
    rng = random.Random(seed)
    want: list[tuple[Any, Any, int, Any]] = []
    for path in pump.paths:
        for _ in range(3):
            stream = path.open(c.KIND_STREAM)
            data = rng.randbytes(rng.randint(0, 30_000))
            path.write(stream, data)
            path.finish(stream)
            want.append((path, pump.peer(path), stream, data))
            channel = path.open(c.KIND_MESSAGE, b"", 0, rng.random() < 0.5)
            messages = [rng.randbytes(int(2 ** rng.uniform(0, 13))) for _ in range(20)]
            assert path.send_messages(channel, messages, pump.now) == 20
            path.finish(channel)
            want.append((path, pump.peer(path), channel, messages))
    pump.pump(lambda number: rng.random() >= loss)
    for path, peer, channel, sent in want:
        if channel >> 1 & 1 == c.KIND_STREAM:
            assert read_all(peer, channel) == sent
            assert peer.read(channel, 1) is None
        elif peer.open_fields(channel).ordered:
            assert peer.take_messages(channel, 99) == sent
        else:
            assert sorted(peer.take_messages(channel, 99)) == sorted(sent)
        assert peer.is_finished(channel)
        peer.finish(channel)
        peer.release(channel)
        path.release(channel)
    pump.pump()
    assert [path.channel_count for path in pump.paths] == [0, 0]
    assert [path.held_size for path in pump.paths] == [0, 0]


@pytest.mark.parametrize("suite", SUITES)
def test_everything_gets_there_under_every_suite(core: Any, suite: int) -> None:
    pump = Pump(core, suite=suite)
    exchange(pump, suite, 0.1)
    pump.close()


@pytest.mark.parametrize("seed", range(10))
def test_everything_gets_there_whatever_is_lost(pump: Pump, seed: int) -> None:
    exchange(pump, seed, 0.3)


@pytest.mark.parametrize("names", [("cython", "python"), ("python", "cython")])
@pytest.mark.parametrize("suite", SUITES)
def test_the_two_cores_speak_to_each_other(names: tuple[str, str], suite: int) -> None:
    assert set(names) == set(CORES)
    client, server = map(load_core, names)
    pump = Pump(client, server, suite=suite)
    exchange(pump, suite, 0.2)
    pump.close()


def test_a_wrong_key_opens_nothing(core: Any) -> None:
    pump = Pump(core, suite=c.SUITE_AES_128_GCM)
    pump.server.set_keys(c.SUITE_AES_128_GCM, bytes(16), bytes(12), bytes(16), bytes(12))
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, b"secret")
    pump.send(pump.client)
    assert pump.server.counters()["undecryptable_packets"] == 1
    assert pump.server.channel_count == 0
    pump.close()


def test_live_counts_what_is_held_and_is_zero_after_close(core: Any) -> None:
    before = settled(core)
    pump = Pump(core)
    stream = pump.client.open(c.KIND_STREAM)
    pump.client.write(stream, bytes(100_000))
    for _ in range(5):
        pump.round()
    size, objects = core.live()
    assert objects >= before[1] + 2
    assert size >= before[0] + 100_000
    pump.close()
    del pump
    assert settled(core) == before


def test_a_dropped_path_that_was_not_closed_holds_nothing_either(core: Any) -> None:
    before = settled(core)
    path = core.DataPath(True, CLIENT_ID)
    assert core.live() != before
    del path
    assert settled(core) == before


def test_counters_have_the_names_of_the_contract(pump: Pump) -> None:
    assert sorted(pump.client.counters()) == sorted(
        (
            *("packets_sent", "packets_received", "bytes_sent", "bytes_received", "packets_lost"),
            *("packets_acked", "retransmitted_bytes", "undecryptable_packets", "duplicate_packets"),
            *("dropped_packets", "malformed_packets", "acks_sent", "acks_received", "glitches"),
            *("datagrams_dropped", "messages_abandoned", "streams_opened", "channels_opened"),
            *("key_updates", "channels_asked"),
        )
    )


def test_memory_of_a_reader_that_never_reads_is_bounded_by_its_window(core: Any) -> None:
    pump = Pump(core, max_channel_data=65536, max_data=2**20)
    streams = [pump.client.open(c.KIND_STREAM) for _ in range(32)]
    for stream in streams:
        pump.client.write(stream, bytes(200_000))
    for _ in range(200):
        pump.round()
    assert pump.server.held_size <= 2**20 + 32 * 4096
    pump.close()
