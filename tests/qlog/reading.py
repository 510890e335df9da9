"""Reads files of records back, as strictly as a viewer that trusts nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def records(data: bytes) -> list[dict[str, Any]]:
    """All records; each must be a separator, one line of ASCII and a line end (RFC 7464)."""
    assert data.startswith(b"\x1e")
    result = []
    for part in data[1:].split(b"\x1e"):
        assert part.endswith(b"\n")
        assert part.count(b"\n") == 1
        result.append(json.loads(part.decode("ascii")))
    return result


def events_of(path: Path) -> list[dict[str, Any]]:
    """The events of a file, whose header and times are checked on the way."""
    header, *events = records(path.read_bytes())
    assert header["qlog_version"] == "0.3"
    assert header["qlog_format"] == "JSON-SEQ"
    assert header["trace"]["common_fields"]["time_format"] == "relative"
    for event in events:
        assert set(event) == {"time", "name", "data"}
        assert event["name"].count(":") == 1
    times = [event["time"] for event in events]
    assert times == sorted(times)
    return events


def named(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The data of each event of this name."""
    return [event["data"] for event in events if event["name"] == name]
