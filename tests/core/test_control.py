"""Rare frames: those that Python queues, and those that it acts on."""

from __future__ import annotations

import pytest

from core.pump import Pump
from fastmux import constants as c
from fastmux.exceptions import ProtocolError


def test_a_queued_frame_goes_once_and_its_token_comes_back(pump: Pump) -> None:
    pump.server.queue_control(7, pump.core.encode_frame((c.FRAME_HANDSHAKE_DONE,)))
    pump.pump()
    assert pump.control[pump.client] == [(c.FRAME_HANDSHAKE_DONE,)]
    assert pump.control[pump.server] == [(c.CONTROL_ACKED, 7)]


def test_the_token_of_a_lost_frame_comes_back_as_lost(pump: Pump) -> None:
    pump.server.queue_control(7, b"\x01")
    pump.packets(pump.server)
    for _ in range(4):
        pump.server.queue_control(0, b"\x01")
        pump.send(pump.server)
    pump.pump()
    assert pump.control[pump.server] == [(c.CONTROL_LOST, 7)]


def test_without_a_token_nothing_is_reported(pump: Pump) -> None:
    pump.client.queue_control(0, b"\x01")
    pump.pump()
    assert pump.control[pump.client] == []


@pytest.mark.parametrize(
    "frame",
    [
        (c.FRAME_NEW_ID, 1, 0, b"abcdefgh", bytes(16)),
        (c.FRAME_RETIRE_ID, 0),
        (c.FRAME_PATH_CHALLENGE, b"12345678"),
        (c.FRAME_PATH_RESPONSE, b"12345678"),
        (c.FRAME_ACK_FREQUENCY, 1, 2, 3, 4),
        (c.FRAME_CONNECTION_CLOSE, 10, b"why"),
        (c.FRAME_APPLICATION_CLOSE, 0, b"bye"),
        (0x142, b"extension"),
    ],
)
def test_a_frame_for_python_is_handed_over(pump: Pump, frame: tuple[object, ...]) -> None:
    pump.inject(pump.server, frame)
    assert pump.server.take_control() == [frame]
    assert pump.server.take_control() == []


def test_only_the_newest_path_challenges_are_kept(pump: Pump) -> None:
    for number in range(20):
        pump.inject(pump.server, (c.FRAME_PATH_CHALLENGE, bytes([number]) * 8))
    assert [frame[1][0] for frame in pump.server.take_control()] == [17, 18, 19]


def test_challenges_keep_their_places_among_the_other_reports(pump: Pump) -> None:
    frames = [
        (c.FRAME_PATH_CHALLENGE, bytes(8)) if place % 3 else (c.FRAME_RETIRE_ID, place) for place in range(11)
    ]
    frames[7:9] = [(c.FRAME_PATH_CHALLENGE, b"in a row"), (c.FRAME_PATH_CHALLENGE, b"the next")]
    pump.inject(pump.server, *frames)
    assert pump.server.take_control() == [frames[0], frames[3], frames[6], *frames[7:]]
    pump.inject(pump.server, frames[8], frames[9])
    assert pump.server.take_control() == [frames[8], frames[9]]


@pytest.mark.parametrize("frame", [(c.FRAME_HANDSHAKE, 0, b"x"), (c.FRAME_PARAMETERS, b"x")])
def test_a_frame_of_the_handshake_is_a_violation(pump: Pump, frame: tuple[object, ...]) -> None:
    assert pump.forbidden(pump.server, frame) == c.PROTOCOL_VIOLATION


def test_handshake_done_from_a_client_is_a_violation(pump: Pump) -> None:
    assert pump.forbidden(pump.server, (c.FRAME_HANDSHAKE_DONE,)) == c.PROTOCOL_VIOLATION


def test_too_many_waiting_bytes_are_a_resource_limit(pump: Pump) -> None:
    with pytest.raises(ProtocolError) as caught:
        for _ in range(1000):
            pump.client.queue_control(0, bytes(1000))
    assert caught.value.code == c.RESOURCE_LIMIT
    pump.pump()
    pump.client.queue_control(0, b"\x01")


@pytest.mark.parametrize("size", [0, 1137])
def test_a_frame_that_fits_no_packet_is_a_value_error(pump: Pump, size: int) -> None:
    with pytest.raises(ValueError):
        pump.client.queue_control(0, bytes(size))


def test_a_flood_of_reports_stops_at_the_limit_unacknowledged(pump: Pump) -> None:
    frames = [(c.FRAME_RETIRE_ID, 1)] * 500
    dropped = [pump.dropped(pump.server, *frames) for _ in range(10)]
    assert dropped == [False] * 8 + [True] * 2
    assert len(pump.server.take_control()) == 4000
    assert not pump.dropped(pump.server, *frames)
