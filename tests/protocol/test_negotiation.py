"""Version negotiation packets (docs/wire-format.md §3.4)."""

from __future__ import annotations

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.negotiation import decode_versions, encode_version_negotiation
from fastmux.records import LongHeader

HEADER = LongHeader(
    type=c.LONG_HANDSHAKE,
    version=0x12345678,
    destination_id=b"for-the-server",
    source_id=b"of-client",
    token=b"",
    packet_number=0,
    header_size=40,
)
VERSIONS = (c.VERSION_1, 0x1A2A3A4A)


@pytest.mark.parametrize("random_byte", [0x00, 0x3F, 0xFF])
def test_the_answer_names_the_ids_swapped_and_the_versions(random_byte: int) -> None:
    packet = encode_version_negotiation(HEADER, VERSIONS, random_byte)
    assert packet[0] & 0xC0 == 0xC0
    header = core.parse_long_header(packet, 0, len(packet))
    assert header.version == c.VERSION_NEGOTIATION
    assert header.destination_id == HEADER.source_id
    assert header.source_id == HEADER.destination_id
    assert decode_versions(header, packet) == VERSIONS


def test_an_unfinished_version_at_the_end_is_left_out() -> None:
    packet = encode_version_negotiation(HEADER, VERSIONS, 0) + b"\x66\x4d"
    header = core.parse_long_header(packet, 0, len(packet))
    assert decode_versions(header, packet) == VERSIONS


def test_an_answer_without_versions_lists_none() -> None:
    packet = encode_version_negotiation(HEADER, (), 0)
    header = core.parse_long_header(packet, 0, len(packet))
    assert decode_versions(header, packet) == ()
