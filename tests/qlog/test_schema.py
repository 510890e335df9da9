"""Files are what the drafts of qlog 0.3 say and what qvis's reader takes; and a fault is found."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from fastmux import constants as c
from protocol.pairs import transfer
from protocol.scripted import Script
from qlog.reading import records
from qlog.schema import EVENTS, faults_of
from qlog.test_trace import DATA, Recorded


def file_of(tmp_path: Path) -> list[dict[str, Any]]:
    """All records of a client's whole life with losses, key updates and a path that grew."""
    recorded = Recorded(tmp_path, Script(suite=c.SUITE_AES_128_GCM), key_update_interval=20)
    recorded.pair.open()
    assert transfer(recorded.pair, DATA) == DATA
    recorded.close()
    (path,) = tmp_path.glob("*_client_*.sqlog")  # by its ending qvis knows a text sequence
    data = path.read_bytes()
    assert {b'"qlog_version":"0.3"', b'"qlog_format":"JSON-SEQ"'} <= set(data[2:256].split(b","))
    return records(data)


def test_a_file_has_all_that_the_schema_asks_for(tmp_path: Path) -> None:
    header, *events = file_of(tmp_path)
    assert faults_of(header, events) == []
    assert set(EVENTS) - {event["name"] for event in events} == {"loglevel:warning"}


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        (("qlog_format",), "JSON", "header: qlog_format cannot be 'JSON'"),
        (("trace", "vantage_point", "type"), "peer", "header: trace cannot be"),
        (("code_version",), "x", "header: code_version is unknown"),
    ],
)
def test_a_fault_in_the_header_is_found(
    tmp_path: Path, place: tuple[str, ...], value: str, fault: str
) -> None:
    header, *events = file_of(tmp_path)
    inner = header
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    (found,) = faults_of(header, events)
    assert found.startswith(fault)


def test_a_fault_in_any_event_is_found(tmp_path: Path) -> None:
    header, *events = file_of(tmp_path)
    for name, table in EVENTS.items():
        event = next((event for event in events if event["name"] == name), None)
        if event is None:  # a warning
            continue
        for field in table.required:
            broken = copy.deepcopy(event)
            del broken["data"][field]
            assert faults_of(header, [broken]) == [f"{name}: {field} is missing"]
        for field in set(event["data"]) & set(table.fields):
            broken = copy.deepcopy(event)
            broken["data"][field] = None
            assert faults_of(header, [broken]) == [f"{name}: {field} cannot be None"]
    late = [{**events[0], "time": 5.0}, {**events[1], "time": 4.0}]
    assert faults_of(header, late) == ["times fall"]
    assert faults_of(header, [{"time": 1, "name": "transport:nothing", "data": {}}]) == [
        "transport:nothing is unknown"
    ]
