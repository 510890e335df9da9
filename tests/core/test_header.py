"""Packet headers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.constants import LONG_HANDSHAKE, LONG_RETRY, VERSION_1, VERSION_PLAINTEXT
from fastmux.exceptions import ProtocolError
from fastmux.records import LongHeader

TO_ID, FROM_ID = b"to-id678", b"from-id8"
BOTH_IDS = b"\x08" + TO_ID + b"\x08" + FROM_ID


def parse(core: Any, packet: bytes) -> LongHeader:
    header: LongHeader = core.parse_long_header(packet, 0, len(packet))
    return header


def test_a_short_header_is_flags_id_and_number(core: Any) -> None:
    assert core.encode_short_header(b"abcd", 0x1_2233_4455) == b"\x40abcd\x22\x33\x44\x55"
    assert core.encode_short_header(b"abcd", 1, 1) == b"\x44abcd\x00\x00\x00\x01"


@pytest.mark.parametrize("size", [0, 3, 21])
def test_a_short_header_needs_an_id_of_4_to_20_bytes(core: Any, size: int) -> None:
    with pytest.raises(ValueError):
        core.encode_short_header(bytes(size), 1)


@given(
    version=st.sampled_from([VERSION_1, VERSION_PLAINTEXT]),
    to_id=st.binary(max_size=20),
    from_id=st.binary(min_size=4, max_size=20),
    token=st.binary(max_size=512),
    number=st.integers(0, 2**62 - 1),
    around=st.binary(max_size=5),
)
def test_a_handshake_header_is_read_back(
    core: Any, version: int, to_id: bytes, from_id: bytes, token: bytes, number: int, around: bytes
) -> None:
    form = core.encode_long_header(LONG_HANDSHAKE, version, to_id, from_id, token, number)
    packet = around + form + around
    parsed = core.parse_long_header(packet, len(around), len(packet))
    assert parsed == (LONG_HANDSHAKE, version, to_id, from_id, token, number & 0xFFFFFFFF, len(form))


@pytest.mark.parametrize(("kind", "version"), [(LONG_RETRY, VERSION_1), (LONG_HANDSHAKE, 0)])
def test_retry_and_version_negotiation_end_after_the_ids(core: Any, kind: int, version: int) -> None:
    form = core.encode_long_header(kind, version, TO_ID, FROM_ID, b"", 7)
    parsed = parse(core, form + b"whatever follows")
    assert parsed == (kind, version, TO_ID, FROM_ID, b"", 0, len(form))


def test_the_ids_of_an_unknown_version_are_read(core: Any) -> None:
    packet = b"\x80\x0a\x1a\x2a\x3a" + b"\xff" + bytes(255) + b"\x00" + b"rest"
    assert parse(core, packet).destination_id == bytes(255)
    assert parse(core, packet).source_id == b""
    assert parse(core, packet).version == 0x0A1A2A3A


def test_every_cut_of_a_header_is_a_protocol_error(core: Any) -> None:
    form = core.encode_long_header(LONG_HANDSHAKE, VERSION_1, TO_ID, FROM_ID, b"token" * 20, 7)
    for stop in range(len(form)):
        with pytest.raises(ProtocolError):
            core.parse_long_header(form, 0, stop)


@pytest.mark.parametrize(
    "packet",
    [
        b"\x40" + bytes(40),  # a short header
        b"\x80" + VERSION_1.to_bytes(4, "big") + b"\x08" + TO_ID + b"\x08" + FROM_ID + bytes(8),  # fixed bit
        b"\xc0" + VERSION_1.to_bytes(4, "big") + b"\x15" + bytes(21) + b"\x08" + FROM_ID + bytes(8),
        b"\xc0" + VERSION_1.to_bytes(4, "big") + b"\x08" + TO_ID + b"\x03" + bytes(3) + bytes(8),
        b"\xc0"
        + VERSION_1.to_bytes(4, "big")
        + b"\x08"
        + TO_ID
        + b"\x08"
        + FROM_ID
        + b"\x42\x01"
        + bytes(600),
    ],
)
def test_a_malformed_header_is_a_protocol_error(core: Any, packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(core, packet)


def test_a_token_has_at_most_512_bytes(core: Any) -> None:
    form = core.encode_long_header(LONG_HANDSHAKE, VERSION_1, TO_ID, FROM_ID, bytes(512), 7)
    assert parse(core, form).token == bytes(512)
    longer = form.replace(b"\x42\x00" + bytes(512), b"\x42\x01" + bytes(513))
    assert len(longer) == len(form) + 1
    with pytest.raises(ProtocolError):
        parse(core, longer)


@given(packet=st.binary(max_size=80))
def test_arbitrary_bytes_give_a_header_or_a_protocol_error(core: Any, packet: bytes) -> None:
    try:
        parsed = parse(core, packet)
    except ProtocolError:
        return
    assert parsed.header_size <= len(packet)


def test_a_range_outside_the_buffer_is_a_value_error(core: Any) -> None:
    with pytest.raises(ValueError):
        core.parse_long_header(bytes(20), 0, 21)
    with pytest.raises(ValueError):
        core.parse_long_header(bytes(20), 5, 4)


def test_an_unknown_type_cannot_be_encoded(core: Any) -> None:
    with pytest.raises(ValueError):
        core.encode_long_header(0x10, VERSION_1, TO_ID, FROM_ID, b"", 0)
