"""What is learnt of a path, and that nothing of it holds for another."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.parameters import Parameters
from fastmux.protocol.rtt import RttEstimator
from fastmux.protocol.traffic import Traffic
from protocol.joined import carry, data_path


def make() -> Traffic:
    traffic = Traffic(data_path(True), RttEstimator(), Configuration(congestion="newreno"), bytes)
    traffic.on_confirmed(Parameters(max_ack_delay=0.007))
    traffic.rtt.update(0.01, 0.0, 0.0, True)
    traffic.mtu.current = 1400
    return traffic


def test_a_new_path_begins_as_every_path_did() -> None:
    traffic = make()
    left = traffic.change_path(None)
    assert left.mtu.current == 1400
    assert left.rtt.smoothed_rtt == 0.01
    assert left.pto == pytest.approx(0.01 + 4 * 0.005 + 0.007)
    assert traffic.mtu.current == c.BASE_PLPMTU
    assert not traffic.rtt.has_sample
    assert traffic.congestion is not left.congestion
    assert traffic.recovery.max_ack_delay == 0.007  # the peer's, not the path's
    assert traffic.recovery.handshake_confirmed
    assert traffic.mtu.next_probe(1.0) == c.MAX_PLPMTU


def test_back_on_a_path_all_of_it_is_known_again() -> None:
    traffic = make()
    rtt, congestion, mtu = traffic.rtt, traffic.congestion, traffic.mtu
    left = traffic.change_path(None)
    traffic.change_path(left)
    assert (traffic.rtt, traffic.congestion, traffic.mtu) == (rtt, congestion, mtu)


def test_two_probes_go_at_once_whatever_was_in_flight() -> None:
    client, server = data_path(True), data_path(False)
    traffic = Traffic(client, RttEstimator(), Configuration(), bytes)
    channel_id = client.open(c.KIND_STREAM)
    client.write(channel_id, bytes(5000))
    carry(client, server, 1.0)
    traffic.change_path(None)
    assert client.bytes_in_flight == 0
    buffer = bytearray(65536)
    assert traffic.fill(buffer, 2.0) > 0
    assert client.counters()["packets_sent"] >= 7
    assert traffic.deadline() is not None
