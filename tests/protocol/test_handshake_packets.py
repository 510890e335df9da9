"""Long-header packets, sealed and opened (docs/wire-format.md §3.3, §5.2)."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.handshake_packets import HandshakePackets, OpenedPacket

PING = bytes((c.FRAME_PING,))


def packets(is_client: bool, version: int = c.VERSION_1) -> HandshakePackets:
    ids = (b"client-i", b"server-i")
    local_id, remote_id = ids if is_client else ids[::-1]
    return HandshakePackets(
        is_client=is_client,
        version=version,
        local_id=local_id,
        remote_id=remote_id,
        first_id=b"first-id",
    )


def opened(packet: bytes, largest: int = -1, **settings: int) -> OpenedPacket | None:
    header = core.parse_long_header(packet, 0, len(packet))
    return packets(False, **settings).open(header, packet, largest)


def test_what_the_client_seals_the_server_opens() -> None:
    packet = packets(True).seal(5, PING + bytes(10))
    assert opened(packet) == OpenedPacket(5, [(c.FRAME_PING,), (c.FRAME_PADDING, 10)])


def test_the_header_names_both_ids_and_no_token() -> None:
    header = core.parse_long_header(packet := packets(True).seal(5, PING), 0, len(packet))
    assert header.destination_id == b"server-i"
    assert header.source_id == b"client-i"
    assert header.token == b""


def test_the_overhead_is_what_a_packet_has_besides_its_frames() -> None:
    end = packets(True)
    assert len(end.seal(0, bytes(100))) == 100 + end.overhead


@pytest.mark.parametrize("position", [0, 3, 8, 20, 25, 30, -1])
def test_a_changed_byte_makes_it_nothing(position: int) -> None:
    packet = bytearray(packets(True).seal(0, PING * 20))
    header = core.parse_long_header(bytes(packet), 0, len(packet))
    packet[position] ^= 0x04
    assert packets(False).open(header, bytes(packet), -1) is None


def test_a_packet_of_another_version_is_nothing() -> None:
    assert opened(packets(True).seal(0, PING), version=c.VERSION_PLAINTEXT) is None


@pytest.mark.parametrize(
    "frame",
    [
        (c.FRAME_HANDSHAKE_DONE,),
        (c.FRAME_STREAM, 0, 0, b"data", False),
        (c.FRAME_APPLICATION_CLOSE, 0, b""),
        (c.FRAME_MAX_DATA, 1 << 40),
    ],
)
def test_a_frame_that_has_no_place_there_drops_the_packet(frame: tuple[object, ...]) -> None:
    assert opened(packets(True).seal(0, PING + core.encode_frame(frame))) is None


def test_frames_that_do_not_parse_drop_the_packet() -> None:
    assert opened(packets(True).seal(0, b"\x3f\x3f")) is None
    assert opened(packets(True).seal(0, b"")) is None


def test_a_number_is_decoded_against_the_largest_opened() -> None:
    packet = packets(True).seal((1 << 32) + 7, PING)
    assert opened(packet, largest=(1 << 32) - 3) == OpenedPacket((1 << 32) + 7, [(c.FRAME_PING,)])


def test_a_packet_larger_than_a_peer_makes_them_is_nothing() -> None:
    """Guards: one datagram of 65,507 bytes of PINGs, which anybody can seal, took 18 ms."""
    overhead = packets(True).overhead
    assert opened(packets(True).seal(0, bytes(c.MAX_HANDSHAKE_PACKET_SIZE - overhead))) is not None
    assert opened(packets(True).seal(0, bytes(c.MAX_HANDSHAKE_PACKET_SIZE - overhead + 1))) is None


def test_a_packet_of_more_frames_than_a_peer_makes_is_nothing() -> None:
    assert opened(packets(True).seal(0, PING * c.MAX_HANDSHAKE_FRAMES)) is not None
    assert opened(packets(True).seal(0, PING * (c.MAX_HANDSHAKE_FRAMES + 1))) is None
