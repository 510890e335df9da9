"""Records of a JSON text sequence (RFC 7464): one event, one line.

Owns: their bytes. May not know: what is recorded, files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

VERSION: Final = "0.3"  # what qvis and the other viewers read; names of events are those of its time
_RECORD_SEPARATOR: Final = b"\x1e"


def encode(record: Mapping[str, Any]) -> bytes:
    """Encode one record, ASCII only: whatever a peer's text holds stays one line."""
    return _RECORD_SEPARATOR + json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def event(milliseconds: float, name: str, data: Mapping[str, Any]) -> bytes:
    """Encode an event, `milliseconds` after the reference time of the trace."""
    return encode({"time": round(milliseconds, 3), "name": name, "data": data})


def header(*, role: str, group_id: str, reference_time: float, title: str, generator: str) -> bytes:
    """Encode the first record of a file. `reference_time` is in milliseconds since 1970."""
    return encode(
        {
            "qlog_version": VERSION,
            "qlog_format": "JSON-SEQ",
            "title": title,
            "code_version": generator,
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
