"""Packet headers (docs/wire-format.md §3): building short and long ones, parsing long ones.

Owns: their layout. May not know: keys, frames, connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmux._core_py._arguments import integer, octets, sized
from fastmux._core_py.varint import pack_varint, read_varint
from fastmux.constants import (
    FIXED_BIT,
    FORM_LONG,
    KEY_PHASE_BIT,
    LONG_HANDSHAKE,
    LONG_RETRY,
    LONG_TYPE_MASK,
    MAX_CONNECTION_ID_SIZE,
    MAX_TOKEN_SIZE,
    MIN_CONNECTION_ID_SIZE,
    PACKET_NUMBER_SIZE,
    PROTOCOL_VIOLATION,
    VERSION_1,
    VERSION_PLAINTEXT,
)
from fastmux.exceptions import ProtocolError
from fastmux.records import LongHeader

if TYPE_CHECKING:
    from typing_extensions import Buffer

_OUR_VERSIONS = (VERSION_1, VERSION_PLAINTEXT)


def encode_short_header(destination_id: Buffer, packet_number: int, key_phase: int = 0) -> bytes:
    """First byte, destination id (4 to 20 bytes, else ValueError), low 32 bits of the packet number."""
    remote_id = sized("destination_id", destination_id, MIN_CONNECTION_ID_SIZE, MAX_CONNECTION_ID_SIZE)
    first = FIXED_BIT | (KEY_PHASE_BIT if integer(key_phase, 0, 1) else 0)
    return bytes((first,)) + remote_id + _truncated(packet_number)


def encode_long_header(
    type: int,
    version: int,
    destination_id: Buffer,
    source_id: Buffer,
    token: Buffer,
    packet_number: int,
) -> bytes:
    """The header of `type` (LONG_HANDSHAKE or LONG_RETRY, else ValueError).

    Token and packet number are left out for version 0 and for LONG_RETRY, whose token the caller appends.
    """
    kind = integer(type)
    if kind not in (LONG_HANDSHAKE, LONG_RETRY):
        raise ValueError("type must be LONG_HANDSHAKE or LONG_RETRY")
    number = integer(version, 0, 0xFFFFFFFF)
    to_id = sized("destination_id", destination_id, 0, MAX_CONNECTION_ID_SIZE)
    from_id = sized("source_id", source_id, 0, MAX_CONNECTION_ID_SIZE)
    token_bytes = sized("token", token, 0, MAX_TOKEN_SIZE)
    tail = _truncated(packet_number)
    head = b"".join(
        (
            bytes((FORM_LONG | FIXED_BIT | kind,)),
            number.to_bytes(4, "big"),
            bytes((len(to_id),)),
            to_id,
            bytes((len(from_id),)),
            from_id,
        )
    )
    if number == 0 or kind == LONG_RETRY:
        return head
    return head + pack_varint(len(token_bytes)) + token_bytes + tail


def parse_long_header(buffer: Buffer, start: int, stop: int) -> LongHeader:
    """The long header of the packet in [start, stop) of `buffer`; ProtocolError if it is malformed.

    The ids of any version are read (RFC 8999 §5.1). Token and packet number are read only from HANDSHAKE
    packets of a version that we know; else they are empty and 0, and `header_size` ends after the ids.
    ValueError unless 0 <= start <= stop <= len(buffer).
    """
    view = octets(buffer)
    first_at, end = integer(start), integer(stop)
    if not first_at <= end <= len(view):
        raise ValueError("the packet is not inside the buffer")
    packet = bytes(view[first_at : min(end, first_at + 1024)])  # no header is longer
    if len(packet) < 7 or not packet[0] & FORM_LONG:
        raise ProtocolError(PROTOCOL_VIOLATION, "malformed long header")
    version = int.from_bytes(packet[1:5], "big")
    destination_id, at = _read_id(packet, 5)
    source_id, at = _read_id(packet, at)
    kind = packet[0] & LONG_TYPE_MASK
    if version not in _OUR_VERSIONS:
        return LongHeader(kind, version, destination_id, source_id, b"", 0, at)
    if (
        not packet[0] & FIXED_BIT
        or len(destination_id) > MAX_CONNECTION_ID_SIZE
        or not MIN_CONNECTION_ID_SIZE <= len(source_id) <= MAX_CONNECTION_ID_SIZE
    ):
        raise ProtocolError(PROTOCOL_VIOLATION, "malformed long header")
    if kind != LONG_HANDSHAKE:
        return LongHeader(kind, version, destination_id, source_id, b"", 0, at)
    token, at = _read_token(packet, at)
    header_size = at + PACKET_NUMBER_SIZE
    if header_size > len(packet):
        raise ProtocolError(PROTOCOL_VIOLATION, "truncated long header")
    packet_number = int.from_bytes(packet[at:header_size], "big")
    return LongHeader(kind, version, destination_id, source_id, token, packet_number, header_size)


def _truncated(packet_number: int) -> bytes:
    return (integer(packet_number) & 0xFFFFFFFF).to_bytes(PACKET_NUMBER_SIZE, "big")


def _read_id(packet: bytes, at: int) -> tuple[bytes, int]:
    """An id behind its length byte; up to 255 bytes, for versions that we do not know."""
    stop = at + 1 + (packet[at] if at < len(packet) else 255)
    if stop > len(packet):
        raise ProtocolError(PROTOCOL_VIOLATION, "truncated long header")
    return packet[at + 1 : stop], stop


def _read_token(packet: bytes, at: int) -> tuple[bytes, int]:
    try:
        size, at = read_varint(packet, at)
    except ProtocolError:
        raise ProtocolError(PROTOCOL_VIOLATION, "truncated long header") from None
    if size > MAX_TOKEN_SIZE:
        raise ProtocolError(PROTOCOL_VIOLATION, "token too long")
    if at + size > len(packet):
        raise ProtocolError(PROTOCOL_VIOLATION, "truncated long header")
    return packet[at : at + size], at + size
