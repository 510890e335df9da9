"""The credit that follows what the application reads."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.credit import Credit, distance_of
from fastmux.protocol.rtt import RttEstimator
from protocol.joined import carry, data_path

SMALL = Configuration(channel_window=4096, connection_window=8192, max_channel_window=16384)
RTT = RttEstimator(0.01)


def test_reading_gives_credit_so_that_a_transfer_larger_than_the_window_completes() -> None:
    sender, receiver = data_path(True, SMALL), data_path(False, SMALL)
    credit = Credit(receiver, SMALL)
    channel_id = sender.open(c.KIND_STREAM)
    sender.write(channel_id, bytes(100_000))
    now, total = 1.0, 0
    while total < 100_000:
        carry(sender, receiver, now)
        while piece := receiver.read(channel_id, 65536):
            total += len(piece)
        credit.update(now, RTT)
        carry(receiver, sender, now)
        now += 0.01
        assert now < 10


def test_what_is_not_read_gives_no_credit() -> None:
    sender, receiver = data_path(True, SMALL), data_path(False, SMALL)
    credit = Credit(receiver, SMALL)
    channel_id = sender.open(c.KIND_STREAM)
    sender.write(channel_id, bytes(100_000))
    for n in range(50):
        carry(sender, receiver, 1.0 + n)
        credit.update(1.0 + n, RTT)
        carry(receiver, sender, 1.0 + n)
    assert receiver.readable_size(channel_id) == 4096


def test_a_fast_reader_gets_a_larger_window_up_to_the_maximum() -> None:
    sender, receiver = data_path(True, SMALL), data_path(False, SMALL)
    credit = Credit(receiver, SMALL)
    channel_id = sender.open(c.KIND_STREAM)
    now = 1.0
    largest = 0
    for _ in range(200):
        sender.write(channel_id, bytes(20_000))
        while carry(sender, receiver, now):
            continue
        largest = max(largest, receiver.readable_size(channel_id))
        while receiver.read(channel_id, 65536):
            continue
        credit.update(now, RTT)
        while carry(receiver, sender, now):
            continue
        now += 0.001
    assert largest == 16384


def test_a_channel_that_is_over_is_forgotten() -> None:
    sender, receiver = data_path(True, SMALL), data_path(False, SMALL)
    credit = Credit(receiver, SMALL)
    channel_id = sender.open(c.KIND_STREAM)
    sender.write(channel_id, bytes(4000))
    while carry(sender, receiver, 1.0):
        continue
    receiver.read(channel_id, 65536)
    credit.update(1.0, RTT)
    assert list(credit._channels) == [channel_id]
    credit.forget(channel_id)
    credit.forget(channel_id)
    assert not credit._channels


@pytest.mark.parametrize(
    ("min_rtt", "smoothed_rtt", "most"),
    [
        (0.0001, 0.0003, c.MAX_NEAR_WINDOW),
        (0.0001, c.SLOW_PEER_ROUND_TRIP, c.MAX_SLOW_PEER_WINDOW),  # the path is short, an end is slow
        (0.0200, 0.0300, c.MAX_VARINT),
    ],
)
def test_a_short_path_bounds_the_window_and_less_where_an_end_is_slow(
    min_rtt: float, smoothed_rtt: float, most: int
) -> None:
    rtt = RttEstimator()
    rtt.min_rtt, rtt.smoothed_rtt = min_rtt, smoothed_rtt
    assert distance_of(rtt).most == most
