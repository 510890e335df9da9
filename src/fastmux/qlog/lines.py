"""Records of a JSON text sequence (RFC 7464): one event, one line.

Owns: their bytes. May not know: what is recorded, files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastmux.protocol.observer import Train

VERSION: Final = "0.3"  # what qvis and the other viewers read; names of events are those of its time
_RECORD_SEPARATOR: Final = b"\x1e"
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


def encode(record: Mapping[str, Any]) -> bytes:
    """Encode one record, ASCII only: whatever a peer's text holds stays one line."""
    return _RECORD_SEPARATOR + _encode(record).encode("ascii") + b"\n"


def event(milliseconds: float, name: str, data: Mapping[str, Any]) -> bytes:
    """Encode an event, `milliseconds` after the reference time of the trace."""
    return encode({"time": round(milliseconds, 3), "name": name, "data": data})


def train_sent(milliseconds: float, train: Train) -> bytes:
    """Encode `transport:packet_sent` of a train: the event that comes most often, so written out."""
    return (
        b'\x1e{"time":%.3f,"name":"transport:packet_sent","data":{"header":{"packet_type":"1RTT",'
        b'"packet_number":%d},"raw":{"length":%d},"fastmux_first_packet_number":%d,'
        b'"fastmux_packet_count":%d}}\n' % (milliseconds, train.last, train.size, train.first, train.packets)
    )


def batch_received(milliseconds: float, train: Train, frames: bytes) -> bytes:
    """Encode `transport:packet_received` of a batch; `frames` are none or one, of `ack_frame`."""
    return (
        b'\x1e{"time":%.3f,"name":"transport:packet_received","data":{"header":{"packet_type":"1RTT",'
        b'"packet_number":%d},"raw":{"length":%d},"frames":[%b],"fastmux_first_packet_number":%d,'
        b'"fastmux_packet_count":%d}}\n'
        % (milliseconds, train.last, train.size, frames, train.first, train.packets)
    )


def ack_frame(acked: Sequence[int], largest: int, ack_delay: float) -> bytes:
    """Encode the ACKs of a batch as one frame: these numbers, as ranges of one, and how far they reached.

    `ack_delay` is in milliseconds. Without a number the field of the ranges, which must not be empty, is
    left out.
    """
    ranges = ",".join([f"[{number},{number}]" for number in acked])
    field = f'"acked_ranges":[{ranges}],' if acked else ""
    return (
        f'{{"frame_type":"ack","ack_delay":{ack_delay:.3f},{field}"fastmux_largest_acked":{largest}}}'
    ).encode("ascii")


def header(*, role: str, group_id: str, reference_time: float, title: str, generator: str) -> bytes:
    """Encode the first record of a file. `reference_time` is in milliseconds since 1970."""
    return encode(
        {
            "qlog_version": VERSION,
            "qlog_format": "JSON-SEQ",
            "title": title,
            "trace": {
                "vantage_point": {"name": generator, "type": role},
                "common_fields": {
                    "ODCID": group_id,
                    "group_id": group_id,
                    "time_format": "relative",
                    "reference_time": round(reference_time, 3),
                },
            },
        }
    )
