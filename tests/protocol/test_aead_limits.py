"""What a connection makes of the limits of its keys (RFC 9001 §6.6): it updates in time, or it ends."""

from __future__ import annotations

from itertools import groupby

import pytest

from fastmux import constants as c
from fastmux.exceptions import ConnectionClosed
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.handshake import PacketKeys
from network import Conditions
from protocol.pairs import Pair, transfer
from protocol.scripted import Script
from protocol.wiretap import Wiretap, tapped_pair

SUITES = [c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM, c.SUITE_CHACHA20_POLY1305]


def opened(suite: int, configuration: Configuration | None = None) -> tuple[Pair, Wiretap]:
    settings = configuration or Configuration()
    pair, tap = tapped_pair(1, Conditions(), Script(suite=suite), settings)
    pair.open().network.run_for(1.0)
    return pair, tap


def set_counts(end: Connection, keys: PacketKeys, *, sealed: int = 0, failed: int = 0) -> None:
    """Let the keys that an end has be worn already."""
    send, receive = (keys.send_key, keys.send_iv), (keys.receive_key, keys.receive_iv)
    end.data_path.set_keys(keys.suite, *send, *receive, sealed=sealed, failed=failed)


def forged_for(end: Connection) -> bytes:
    """A packet to an end that does not authenticate."""
    return bytes((c.FIXED_BIT,)) + end.ids.local + bytes(40)


def error_of(pair: Pair, end: Connection) -> ConnectionClosed:
    node = pair.client if end is pair.connection else pair.server
    error = node.closed(end)
    assert isinstance(error, ConnectionClosed)
    return error


@pytest.mark.parametrize("suite", SUITES)
def test_too_many_packets_that_do_not_open_end_the_connection(suite: int) -> None:
    pair, tap = opened(suite)
    set_counts(pair.connection, tap.learned[0], failed=c.CHACHA20_FAILURE_LIMIT - 2)
    pair.network.inject(forged_for(pair.connection), pair.server.address, pair.client)
    assert not pair.connection.is_closed
    pair.network.inject(forged_for(pair.connection), pair.server.address, pair.client)
    pair.network.run_for(1.0)
    for end in (pair.connection, pair.accepted):  # the peer is told
        assert error_of(pair, end).code == c.AEAD_LIMIT_REACHED


def test_forged_packets_from_elsewhere_count_too() -> None:
    """Who is off the path can do no more than this: 2^36 packets, each with an id that he has seen."""
    pair, tap = opened(c.SUITE_AES_128_GCM)
    end = pair.accepted
    (keys,) = [keys for keys in tap.learned if keys.send_key != tap.learned[0].send_key]
    set_counts(end, keys, failed=c.CHACHA20_FAILURE_LIMIT - 1)
    pair.network.inject(forged_for(end), ("203.0.113.9", 9), pair.server)
    assert error_of(pair, end).code == c.AEAD_LIMIT_REACHED


@pytest.mark.parametrize("suite", [c.SUITE_AES_128_GCM, c.SUITE_AES_256_GCM])
def test_a_key_that_the_core_takes_for_used_up_ends_the_connection(suite: int) -> None:
    """The core counts by itself: should the count of packets here ever be wrong, it is the last to hold."""
    pair, tap = opened(suite)
    set_counts(pair.connection, tap.learned[0], sealed=c.AES_GCM_PACKET_LIMIT - 64)
    pair.connection.data_path.write(pair.connection.data_path.open(c.KIND_STREAM), b"one packet more")
    pair.connection.touch()
    pair.network.run_for(1.0)
    for end in (pair.connection, pair.accepted):
        assert error_of(pair, end).code == c.AEAD_LIMIT_REACHED


def test_no_key_seals_many_more_packets_than_the_interval() -> None:
    """What goes beyond it is what is sent until the update before is acknowledged: a flight, here."""
    interval = 300
    configuration = Configuration(key_update_interval=interval, max_datagram_size=1452)
    pair, tap = tapped_pair(1, Conditions(rate=1_250_000), Script(suite=c.SUITE_AES_128_GCM), configuration)
    pair.open()
    data = bytes(3_000_000)
    assert transfer(pair, data) == data
    assert pair.connection.statistics().key_updates >= 6
    for end in (pair.connection, pair.accepted):
        mine = [packet for packet in tap.datagrams if packet[1:9] == end.ids.local]
        phases = [len(list(group)) for _, group in groupby(mine, key=lambda packet: packet[0] & 4)]
        assert len(phases) >= 6
        assert max(phases) <= interval + 300


def test_the_interval_cannot_be_set_beyond_half_of_what_a_key_may_seal() -> None:
    assert Configuration().key_update_interval == 2**22 == c.AES_GCM_PACKET_LIMIT // 2
    with pytest.raises(ValueError, match="key_update_interval"):
        Configuration(key_update_interval=2**22 + 1)


def test_an_update_begins_at_two_to_the_twenty_second() -> None:
    pair, _ = opened(c.SUITE_AES_128_GCM)
    pair.connection._data.traffic.sent_packets = 2**22 - 20
    assert transfer(pair, bytes(200_000)) == bytes(200_000)
    pair.network.run_for(1.0)
    assert pair.connection.statistics().key_updates == pair.accepted.statistics().key_updates == 1
