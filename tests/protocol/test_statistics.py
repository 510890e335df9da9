"""What a connection says about itself."""

from __future__ import annotations

import dataclasses

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.rtt import RttEstimator
from fastmux.protocol.statistics import gather
from fastmux.protocol.traffic import Traffic
from protocol.joined import carry, data_path


def test_the_figures_are_those_of_their_sources() -> None:
    sender, receiver = data_path(True), data_path(False)
    traffic = Traffic(sender, RttEstimator(0.1), Configuration(), bytes)
    channel_id = sender.open(c.KIND_STREAM)
    sender.write(channel_id, bytes(3000))
    size = carry(sender, receiver, 1.0)
    figures = gather(sender, traffic, last_seen=0.5)
    assert figures.rtt == 0.1
    assert figures.latest_rtt == 0.0
    assert figures.bytes_sent == figures.bytes_in_flight == size
    assert figures.packets_sent == 3
    assert figures.congestion_window == traffic.congestion.congestion_window
    assert figures.mtu == c.BASE_PLPMTU
    assert figures.last_seen == 0.5
    assert figures.channel_count == figures.channels_opened == 1
    assert figures.ssthresh is None
    assert figures.pto_count == figures.packets_acked == figures.glitches == 0
    assert figures.pto == traffic.pto()
    assert figures.peer_ack_delay == c.MAX_ACK_DELAY
    received = gather(receiver, traffic, last_seen=1.0)
    assert received.packets_received == 3
    assert received.bytes_received == size
    assert received.held_size >= 3000


def test_the_record_does_not_change_afterwards() -> None:
    path = data_path(True)
    figures = gather(path, Traffic(path, RttEstimator(), Configuration(), bytes), 0.0)
    before = dataclasses.asdict(figures)
    path.open(c.KIND_STREAM)
    assert dataclasses.asdict(figures) == before


def test_what_is_counted_of_paths_is_handed_on() -> None:
    path = data_path(True)
    figures = gather(path, Traffic(path, RttEstimator(), Configuration(), bytes), 0.0, 3, 4)
    assert (figures.migrations, figures.paths_validated) == (3, 4)


def test_every_counter_of_the_core_that_tells_of_the_network_is_there() -> None:
    path = data_path(True)
    figures = gather(path, Traffic(path, RttEstimator(), Configuration(), bytes), 0.0)
    inner = {"channels_asked"}  # how often the scheduler looked: a figure for its tests
    assert set(path.counters()) - inner <= {field.name for field in dataclasses.fields(figures)}
