"""What a handshake must get across."""

from __future__ import annotations

from random import Random

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import HandshakeError
from fastmux.protocol.flight import Carried, Flight


def test_whole_frames_go_first_and_bytes_follow() -> None:
    flight = Flight()
    flight.write(b"x" * 100)
    parameters = core.encode_frame((c.FRAME_PARAMETERS, b"limits"))
    flight.add_frame(parameters)
    taken = flight.take(1000)
    assert taken is not None
    assert core.parse_frames(taken[0]) == [
        (c.FRAME_PARAMETERS, b"limits"),
        (c.FRAME_HANDSHAKE, 0, b"x" * 100),
    ]
    assert taken[1] == Carried((parameters,), ((0, 100),))
    assert flight.take(1000) is None
    assert not flight.has_pending


def test_a_frame_that_finds_no_room_waits_for_the_next_packet() -> None:
    flight = Flight()
    first = core.encode_frame((c.FRAME_PARAMETERS, bytes(60)))
    second = core.encode_frame((c.FRAME_PATH_CHALLENGE, bytes(8)))
    flight.add_frame(first)
    flight.add_frame(second)
    assert flight.take(65) == (first, Carried((first,), ()))
    assert flight.take(65) == (second, Carried((second,), ()))


def test_what_is_lost_goes_again_and_what_is_acknowledged_does_not() -> None:
    flight = Flight()
    frame = core.encode_frame((c.FRAME_PATH_CHALLENGE, bytes(8)))
    flight.add_frame(frame)
    flight.write(b"y" * 50)
    taken = flight.take(1000)
    assert taken is not None
    flight.on_lost(taken[1])
    assert flight.take(1000) == taken
    flight.on_lost(taken[1])
    flight.on_acked(taken[1])
    assert flight.take(1000) is None
    flight.on_lost(taken[1])
    assert flight.take(1000) is None


def test_a_removed_frame_is_not_sent_even_when_its_packet_was_lost() -> None:
    flight = Flight()
    frame = core.encode_frame((c.FRAME_PATH_RESPONSE, bytes(8)))
    flight.add_frame(frame)
    taken = flight.take(100)
    assert taken is not None
    flight.remove_frame(frame)
    flight.on_lost(taken[1])
    assert flight.take(100) is None


def test_no_more_than_a_window_is_on_the_way() -> None:
    flight = Flight()
    flight.write(bytes(40000))
    taken = []
    while (one := flight.take(1100)) is not None:
        taken.append(one[1])
    assert taken[-1].runs[-1][1] == c.MAX_HANDSHAKE_BUFFER_AFTER
    flight.on_acked(taken[1])
    assert flight.take(1100) is None
    flight.on_acked(taken[0])
    more = flight.take(1100)
    assert more is not None
    assert more[1].runs[0][0] == c.MAX_HANDSHAKE_BUFFER_AFTER


def test_more_than_a_peer_may_take_is_refused() -> None:
    flight = Flight()
    flight.write(bytes(c.MAX_HANDSHAKE_BUFFER))
    with pytest.raises(HandshakeError, match="chain"):
        flight.write(b"x")


@pytest.mark.parametrize("seed", range(20))
def test_any_mix_of_losses_gets_everything_across(seed: int) -> None:
    random = Random(seed)
    data = random.randbytes(30000)
    flight = Flight()
    flight.write(data)
    received = core.ReceiveStream()
    outstanding: list[Carried] = []
    for _ in range(10000):
        taken = flight.take(random.randint(30, 1150))
        if taken is not None:
            outstanding.append(taken[1])
            if random.random() < 0.7:
                for _, offset, run in core.parse_frames(taken[0]):
                    assert isinstance(offset, int)
                    assert isinstance(run, bytes)
                    received.receive(offset, run)
                flight.on_acked(outstanding.pop())
        elif outstanding:
            flight.on_lost(outstanding.pop(random.randrange(len(outstanding))))
        else:
            break
    assert received.read(1 << 20) == data


def test_a_packet_has_no_more_runs_than_a_peer_takes_frames() -> None:
    flight = Flight()
    flight.write(bytes(2000))
    pieces = [flight.take(47) for _ in range(40)]
    for piece in pieces[::2]:
        assert piece is not None
        flight.on_lost(piece[1])
    packets = []
    while (taken := flight.take(1150)) is not None:
        packets.append(taken[1])
    assert max(len(packet.runs) for packet in packets) == c.MAX_HANDSHAKE_RUNS < c.MAX_HANDSHAKE_FRAMES
    assert sum(len(packet.runs) for packet in packets) >= 20
