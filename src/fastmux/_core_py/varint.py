"""Variable-length integers (RFC 9000 §16) and truncated packet numbers (RFC 9000 A.3).

Owns: their coding. May not know: what an integer means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmux._core_py._arguments import integer, octets
from fastmux.constants import FRAME_ENCODING_ERROR, MAX_PACKET_NUMBER, MAX_VARINT
from fastmux.exceptions import ProtocolError

if TYPE_CHECKING:
    from typing_extensions import Buffer


def varint_size(value: int) -> int:
    """Bytes that `value` takes as a varint: 1, 2, 4 or 8; OverflowError outside [0, 2^62-1]."""
    return size_of(integer(value))


def encode_varint(value: int) -> bytes:
    """The shortest form (RFC 9000 §16); OverflowError outside [0, 2^62-1]."""
    return pack_varint(integer(value))


def decode_varint(buffer: Buffer, offset: int = 0) -> tuple[int, int]:
    """(value, offset after it); ProtocolError(FRAME_ENCODING_ERROR) if it is cut off."""
    return read_varint(octets(buffer), integer(offset))


def decode_packet_number(truncated: int, largest: int) -> int:
    """The full number (RFC 9000 A.3) from its low 32 bits; `largest` is -1 before any packet."""
    return expand_packet_number(integer(truncated, 0, 0xFFFFFFFF), integer(largest, -1, MAX_PACKET_NUMBER))


def size_of(value: int) -> int:
    """`varint_size` of an integer that is known to be in range."""
    if value < 0x40:
        return 1
    if value < 0x4000:
        return 2
    return 4 if value < 0x40000000 else 8


def pack_varint(value: int) -> bytes:
    """`encode_varint` of an integer that is known to be in range."""
    if value < 0x40:
        return value.to_bytes(1, "big")
    if value < 0x4000:
        return (value | 0x4000).to_bytes(2, "big")
    if value < 0x40000000:
        return (value | 0x80000000).to_bytes(4, "big")
    return (value | 0xC000000000000000).to_bytes(8, "big")


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """(value, offset after it), reading any form; ProtocolError if it is cut off."""
    if at >= len(data):
        raise ProtocolError(FRAME_ENCODING_ERROR, "truncated varint")
    first = data[at]
    if first < 0x40:
        return first, at + 1
    stop = at + (1 << (first >> 6))
    if stop > len(data):
        raise ProtocolError(FRAME_ENCODING_ERROR, "truncated varint")
    bits = 8 * (stop - at) - 2
    return int.from_bytes(data[at:stop], "big") & ((1 << bits) - 1), stop


def expand_packet_number(truncated: int, largest: int) -> int:
    """The number closest to `largest + 1` that ends in the 32 bits of `truncated`, and is one."""
    window = 1 << 32
    expected = largest + 1
    candidate = (expected & ~(window - 1)) | truncated
    if candidate <= expected - window // 2 and candidate <= MAX_VARINT - window:
        return candidate + window
    if candidate > min(expected + window // 2, MAX_VARINT) and candidate >= window:
        return candidate - window
    return candidate
