"""Paths that carry more than 1,500 bytes, or stop to: connections over the network in memory."""

from __future__ import annotations

from contextlib import suppress

import pytest

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.congestion import choice
from fastmux.protocol.congestion.cubic import Cubic
from fastmux.protocol.events import DatagramsReceived
from fastmux.protocol.rtt import RttEstimator
from fastmux.records import AckSummary
from network import Conditions
from protocol.pairs import make_pair, transfer
from protocol.scripted import Script

DATA = bytes(range(256)) * 1000


@pytest.mark.parametrize("suite", [c.SUITE_NULL, c.SUITE_AES_128_GCM])
@pytest.mark.parametrize("size", [8952, 16336, c.MAX_UDP_PAYLOAD])
def test_data_of_every_kind_goes_in_jumbo_datagrams(size: int, suite: int) -> None:
    script = Script(suite=suite)
    pair = make_pair(configuration=Configuration(max_datagram_size=size), script=script).open()
    assert transfer(pair, DATA * 8) == DATA * 8
    pair.network.run_for(5.0)
    assert pair.connection.statistics().mtu == size
    data_path, far = pair.connection.data_path, pair.accepted.data_path
    channel_id = data_path.open(c.KIND_MESSAGE)
    messages = [bytes([n]) * length for n, length in enumerate((0, 1, 128, 8952, 65507, 300_001))]
    for message in messages:
        data_path.send_message(channel_id, message, pair.network.now)
    datagram = bytes(range(250)) * (size // 256)
    assert data_path.send_datagram(datagram)
    pair.connection.touch()
    received: list[bytes] = []

    def has_all() -> bool:
        with suppress(KeyError):
            received.extend(far.take_messages(channel_id, 10))
            pair.accepted.touch()
        return len(received) == len(messages)

    pair.network.run(has_all)
    assert received == messages
    heard = [event for event in pair.server.events[pair.accepted] if isinstance(event, DatagramsReceived)]
    assert [event.datagrams for event in heard] == [[datagram]]
    assert pair.network.link(pair.client, pair.server).largest == size


def test_a_jumbo_path_that_shrinks_twice_in_mid_stream_is_followed_and_used_again() -> None:
    """From 9,000 to 1,500 to 1,250 bytes and back, with streams and messages on the way."""
    pair = make_pair(conditions=Conditions(rate=12_500_000)).open()
    assert transfer(pair, DATA * 8) == DATA * 8
    assert pair.connection.statistics().mtu == 8952
    data_path, far = pair.connection.data_path, pair.accepted.data_path
    channel_id = data_path.open(c.KIND_MESSAGE)
    message = bytes(range(256)) * 2000
    for carried, found in ((1452, 1452), (1250, 1250), (9000, 8952)):
        data_path.send_message(channel_id, message, pair.network.now)
        pair.connection.touch()
        pair.network.run_for(0.012)  # some of it is on its way in the old size
        limits = ((0.0, 65507), (pair.network.now, carried))
        pair.network.set_conditions(Conditions(rate=12_500_000, mtu=limits))
        start = pair.network.now
        assert transfer(pair, DATA * 8) == DATA * 8
        assert pair.network.now - start < 5.0
        assert far.take_messages(channel_id, 10) == [message]
        pair.network.run_for(c.PMTU_RAISE_TIMER + 60)
        assert transfer(pair, DATA) == DATA
        assert pair.connection.statistics().mtu == found


class Untroubled(Cubic):
    """Must never hear of a loss."""

    def on_summary(self, summary: AckSummary, rtt: RttEstimator, now: float) -> None:
        assert not summary.lost_size
        super().on_summary(summary, rtt, now)

    def on_persistent_congestion(self, now: float) -> None:
        raise AssertionError("persistent congestion")


def test_lost_jumbo_probes_are_no_congestion_and_cost_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(choice._MAKERS, "cubic", lambda size, random_bytes: Untroubled(size))

    def run(size: int) -> tuple[float, int]:
        conditions = Conditions(rate=12_500_000, queue_size=1 << 24, mtu=((0.0, 1500),))
        configuration = Configuration(max_datagram_size=size)
        pair = make_pair(conditions=conditions, configuration=configuration).open()
        start = pair.network.now
        assert transfer(pair, DATA * 30) == DATA * 30
        return pair.network.now - start, pair.network.link(pair.client, pair.server).lost

    plain_time, plain_lost = run(c.MAX_PLPMTU)
    time, lost = run(8952)
    assert plain_lost == 0
    assert lost == c.MAX_MTU_PROBES
    assert time < 1.01 * plain_time
