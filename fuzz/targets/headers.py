"""T1: packet headers, and how a train is cut into datagrams.

Owns: what the input means: a byte (bit 0: one off the largest number), the segment size (2 bytes), then the
train, whose first bytes are also a truncated packet number (4) and a largest one (8). May not know: which
core it is.
"""

from __future__ import annotations

from typing import Any

from fastmux import constants as c
from fuzz.targets.cursor import Outcome, outcome

LOCAL_ID = b"fuzz-id!"


def seeds() -> list[bytes]:
    """One header of each kind, a train of both forms, strays."""
    ids = bytes((8,)) + LOCAL_ID + bytes((5,)) + b"other"
    version = c.VERSION_1.to_bytes(4, "big")
    handshake = b"\xc0" + version + ids + b"\x03tok" + b"\0\0\0\x07" + bytes(20)
    retry = b"\xf0" + version + ids + b"token" + bytes(16)
    negotiation = b"\xca" + bytes(4) + ids + version + b"\x0a\x1a\x2a\x3a"
    short = b"\x40" + LOCAL_ID + b"\0\0\0\x01" + bytes(20)
    unknown = b"\xc0\x1a\x2a\x3a\x4a" + bytes((30,)) + bytes(30) + b"\0"
    plain = b"\xc0" + c.VERSION_PLAINTEXT.to_bytes(4, "big") + ids + b"\x40\x01t" + b"\0\0\0\x09"
    singles = [b"\0\x05\xdb" + packet for packet in (handshake, retry, negotiation, short, unknown, plain)]
    return [*singles, b"\x01\x00\x20" + short * 3, b"\0\0\x20" + short + handshake + b"\x40stray"]


def replay(core: Any, data: bytes) -> list[Any]:
    """What every segment comes to, and the counters of a path without keys."""
    if len(data) < 3:
        return []
    trace: list[Any] = []
    if len(data) >= 15:
        largest = int.from_bytes(data[7:15], "big") & c.MAX_VARINT
        truncated = int.from_bytes(data[3:7], "big")
        trace.append(outcome(core.decode_packet_number, truncated, largest - (data[0] & 1)))
    segment = (data[1] << 8 | data[2]) % 1500 + 1
    train, at = data[3:], 0
    path = core.DataPath(False, LOCAL_ID)
    while at < len(train):
        step = min(segment, len(train) - at)
        if train[at] & c.FORM_LONG:
            trace.append(_long(core, train, at, at + step))
        elif train[at] & c.FIXED_BIT:
            taken = path.receive(train, at, len(train) - at, segment, 1.0)
            assert 0 <= taken <= len(train) - at
            trace.append(taken)
            step = max(step, taken)
        at += step
    counters = path.counters()
    path.close()
    return [*trace, counters]


def _long(core: Any, train: bytes, start: int, stop: int) -> Outcome:
    """The parts of a long header; encoded again they are the same header, but for the length's form."""
    result = outcome(core.parse_long_header, train, start, stop)
    if result[0] != "value":
        return result
    header = result[1]
    is_known = header.version in (c.VERSION_1, c.VERSION_PLAINTEXT)
    if is_known and header.type in (c.LONG_HANDSHAKE, c.LONG_RETRY):
        fields = header.type, header.version, header.destination_id, header.source_id
        form = core.encode_long_header(*fields, header.token, header.packet_number)
        again = core.parse_long_header(form, 0, len(form))
        assert again._replace(header_size=header.header_size) == header
    return "value", tuple(header)
