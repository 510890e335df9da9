"""An observed connection tells what it does, and does what a plain one does."""

from __future__ import annotations

from dataclasses import replace

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import Closed, Opened
from fastmux.protocol.observed import ObservedConnection
from fastmux.protocol.observer import Subject
from network import Conditions
from protocol.pairs import Pair, make_pair, transfer
from protocol.scripted import SMALL, Script
from protocol.watching import Watcher

AES = Script(suite=c.SUITE_AES_128_GCM)
LOSSY = Conditions(loss=0.05, jitter=0.01, rate=1_250_000)
DATA = bytes(range(256)) * 2000
PLAIN = Configuration(max_datagram_size=1452)


def watched(
    conditions: Conditions | None = None, script: Script = SMALL, configuration: Configuration = PLAIN
) -> tuple[Pair, list[Watcher]]:
    """A pair of which both ends are watched: the client's watcher first, once the server has one."""
    watchers: list[Watcher] = []

    def observe(subject: Subject) -> Watcher:
        watchers.append(Watcher(subject))
        return watchers[-1]

    configuration = replace(configuration, observe=observe)
    return make_pair(conditions=conditions, script=script, configuration=configuration), watchers


def test_without_an_observer_a_connection_is_the_plain_one() -> None:
    pair = make_pair(configuration=replace(PLAIN, observe=lambda _: None)).open()
    assert type(pair.connection) is Connection
    assert type(pair.accepted) is Connection
    assert type(make_pair().connection) is Connection


def test_both_ends_are_told_of_the_same_connection() -> None:
    pair, watchers = watched()
    pair.open()
    assert isinstance(pair.connection, ObservedConnection)
    client, server = watchers
    assert (client.subject.is_client, server.subject.is_client) == (True, False)
    assert client.subject.first_id == server.subject.first_id == pair.connection.ids.first
    assert client.subject.local_id == pair.connection.ids.local
    assert server.subject.address == pair.client.address
    for watcher in watchers:
        names = watcher.names()
        assert names[0] == "started"
        assert {"handshake_sent", "handshake_received", "keyed", "batch"} <= set(names)
        (keyed,) = watcher.of("keyed")
        assert keyed[0] == SMALL.suite
        assert keyed[1].initial_max_data == keyed[2].initial_max_data == PLAIN.connection_window
        (first, *_) = watcher.of("event")
        assert isinstance(first[0], Opened)


def test_trains_add_up_to_what_the_core_counts() -> None:
    pair, watchers = watched(LOSSY)
    pair.open()
    assert transfer(pair, DATA) == DATA
    client, server = watchers
    sent = [train for train, _ in client.of("train_sent")]
    statistics = pair.connection.statistics()
    assert sum(train.packets for train in sent) == statistics.packets_sent
    assert sum(train.size for train in sent) == statistics.bytes_sent
    for train in sent:
        assert train.last - train.first >= train.packets - 1
    for before, after in zip(sent, sent[1:], strict=False):
        assert after.first > before.last
    received = [train for (train,) in server.of("train_received")]
    counted = pair.accepted.statistics()
    seen = sum(train.packets for train in received)
    # of what came before the keys, or was no new packet, some is in one sum and not in the other
    assert abs(seen - counted.packets_received - counted.duplicate_packets) <= c.MAX_EARLY_PACKETS


def test_handshake_packets_are_told_of_one_by_one_with_their_headers() -> None:
    pair, watchers = watched()
    pair.open()
    for sender, receiver in (watchers, watchers[::-1]):
        sent = [(header.packet_number, size) for header, size in sender.of("handshake_sent")]
        received = [(header.packet_number, size) for header, size in receiver.of("handshake_received")]
        assert [number for number, _ in sent] == list(range(len(sent)))
        assert received
        assert set(received) <= set(sent)  # the last of a server may come when the client is done


def test_trains_bring_what_is_in_flight_with_them() -> None:
    pair, watchers = watched()
    pair.open()
    assert transfer(pair, DATA) == DATA
    in_flight = [bytes_in_flight for _, bytes_in_flight in watchers[0].of("train_sent")]
    after = [metrics.bytes_in_flight for metrics, _ in watchers[0].of("batch")]
    assert max(in_flight) > max(after) > 0
    pair.connection.close(7, "enough", pair.network.now)
    pair.network.run_for(1.0)
    assert watchers[0].of("train_sent")[-1][1] == 0  # the close: nothing is followed any more


def test_batches_bring_the_metrics_and_what_was_acknowledged() -> None:
    pair, watchers = watched(LOSSY)
    pair.open()
    assert transfer(pair, DATA) == DATA
    batches = watchers[0].of("batch")
    acked = sum(summary.acked_packets for _, summary in batches if summary is not None)
    metrics = batches[-1][0]
    assert 0 < acked <= metrics.counters["packets_acked"]
    assert metrics.counters["packets_lost"] > 0
    assert metrics.smoothed_rtt > 0
    assert any(metrics.ssthresh is not None for metrics, _ in batches)
    assert any(not metrics.is_settled for metrics, _ in batches)  # the network reorders
    numbers = [metrics.largest_lost for metrics, _ in batches]
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1] > 0) == (-1, True)
    largest = [summary.largest_acked for _, summary in batches if summary is not None]
    assert largest == sorted(largest)


def test_an_observed_connection_sends_what_a_plain_one_sends() -> None:
    plain = make_pair(conditions=LOSSY, script=AES, configuration=PLAIN).open()
    observed, _ = watched(LOSSY, AES)
    observed.open()
    for pair in (plain, observed):
        assert transfer(pair, DATA) == DATA
    assert plain.network.now == observed.network.now
    assert plain.network.trace.digest() == observed.network.trace.digest()


def test_the_end_is_told_last() -> None:
    pair, watchers = watched()
    pair.open()
    pair.connection.close(7, "enough", pair.network.now)
    pair.network.run(lambda: pair.accepted.is_closed)
    pair.network.run_for(1.0)
    for watcher in watchers:
        *_, last = (event for (event,) in watcher.of("event"))
        assert isinstance(last, Closed)
        assert "enough" in str(last.error)
        *_, end = (place for place, name in enumerate(watcher.names()) if name == "event")
        assert not {"batch", "train_received"} & set(watcher.names()[end:])


def test_key_updates_show_in_the_counters() -> None:
    pair, watchers = watched(script=AES, configuration=replace(PLAIN, key_update_interval=20))
    pair.open()
    assert transfer(pair, DATA) == DATA
    updates = [metrics.counters["key_updates"] for metrics, _ in watchers[0].of("batch")]
    assert updates[-1] >= 1
    assert updates == sorted(updates)
