"""What a connection does, as the events that viewers know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastmux import constants as c
from fastmux.exceptions import HandshakeError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import Closed
from fastmux.protocol.observer import Subject
from fastmux.qlog.directory import QlogDirectory
from fastmux.qlog.tracing import recorder
from network import Conditions
from protocol.pairs import Pair, make_pair, transfer
from protocol.scripted import SMALL, Fail, Script
from qlog.reading import events_of, named, records
from qlog.schema import faults_of

LOSSY = Conditions(loss=0.05, jitter=0.01, rate=1_250_000)
AES = Script(suite=c.SUITE_AES_128_GCM)
DATA = bytes(range(256)) * 2000


class Recorded:
    """A pair whose ends record themselves."""

    def __init__(self, directory: Path, script: Script = SMALL, **settings: Any) -> None:
        self.path = directory
        self._directory = QlogDirectory(str(directory))
        observe = recorder(self._directory, wall_clock=lambda: 1_700_000_000.0)
        configuration = Configuration(observe=observe, max_datagram_size=1452, **settings)
        self.pair: Pair = make_pair(conditions=LOSSY, script=script, configuration=configuration)

    def close(self) -> None:
        """Close from the client's end and wait until both files are whole."""
        self.pair.connection.close(7, 'said "enough"\n', self.pair.network.now)
        self.pair.network.run_for(5.0)
        self._directory.wait_written()

    def events(self, role: str) -> list[dict[str, Any]]:
        """The events of one end's file."""
        (path,) = self.path.glob(f"*_{role}_*.sqlog")
        header, *events = records(path.read_bytes())
        assert faults_of(header, events) == []
        return events_of(path)


def test_both_ends_record_a_transfer_from_beginning_to_end(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.pair.open()
    assert transfer(recorded.pair, DATA) == DATA
    recorded.close()
    first_id = recorded.pair.connection.ids.first.hex()
    assert {path.name.partition("_")[0] for path in tmp_path.iterdir()} == {first_id}
    for role in ("client", "server"):
        events = recorded.events(role)
        names = [event["name"] for event in events]
        assert names[0] == "connectivity:connection_started"
        assert names[-1] == "connectivity:connection_closed"
        assert {
            "transport:packet_sent",
            "transport:packet_received",
            "transport:parameters_set",
            "recovery:parameters_set",
            "recovery:metrics_updated",
            "connectivity:connection_state_updated",
        } <= set(names)
        (closed,) = named(events, "connectivity:connection_closed")
        assert closed["owner"] == ("local" if role == "client" else "remote")
        assert (closed["connection_code"], closed["reason"]) == (7, 'said "enough"\n')


def test_sizes_and_numbers_add_up_to_what_was_counted(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.pair.open()
    assert transfer(recorded.pair, DATA) == DATA
    statistics = recorded.pair.connection.statistics()
    recorded.close()
    events = recorded.events("client")
    sent = [
        data for data in named(events, "transport:packet_sent") if data["header"]["packet_type"] == "1RTT"
    ]
    assert len(sent) < statistics.packets_sent  # a train is one event
    assert sum(data["raw"]["length"] for data in sent) >= statistics.bytes_sent
    lost = sum(data["fastmux_packet_count"] for data in named(events, "recovery:packet_lost"))
    assert lost == statistics.packets_lost > 0
    numbers = {data["header"]["packet_number"] for data in sent}
    acked = [
        frame["acked_ranges"][0][0]
        for data in named(events, "transport:packet_received")
        for frame in data.get("frames", [])
    ]
    assert len(acked) > 10
    assert len(numbers & set(acked)) > len(acked) // 4  # ACKs that a viewer can draw at their trains


def test_metrics_are_recorded_when_they_change_and_not_too_often(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.pair.open()
    assert transfer(recorded.pair, DATA) == DATA
    recorded.close()
    events = recorded.events("client")
    metrics = [event for event in events if event["name"] == "recovery:metrics_updated"]
    assert {"smoothed_rtt", "congestion_window", "bytes_in_flight", "pto_count"} <= set(metrics[0]["data"])
    assert any("ssthresh" in event["data"] for event in metrics)
    for before, after in zip(metrics, metrics[1:], strict=False):
        assert after["data"]
        is_loss = any(
            event["name"] == "recovery:packet_lost" and event["time"] == after["time"] for event in events
        )
        assert is_loss or after["time"] - before["time"] >= 1000 * c.QLOG_METRICS_INTERVAL - 0.002
    assert named(events, "connectivity:mtu_updated")


def test_keys_are_recorded_by_their_generation_and_never_their_bytes(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, AES, key_update_interval=20)
    recorded.pair.open()
    assert transfer(recorded.pair, DATA) == DATA
    updates = recorded.pair.connection.statistics().key_updates
    recorded.close()
    updated = named(recorded.events("client"), "security:key_updated")
    generations = sorted({data["generation"] for data in updated})
    assert generations == list(range(len(generations)))
    assert len(generations) >= updates >= 2
    assert {data.get("trigger") for data in updated} == {"tls", None}
    assert all(set(data) <= {"key_type", "new", "generation", "trigger"} for data in updated)
    assert {data["new"] for data in updated} == {""}
    assert named(recorded.events("client"), "transport:parameters_set")[0]["tls_cipher"] == (
        "TLS_AES_128_GCM_SHA256"
    )


def test_a_handshake_that_fails_is_in_the_clients_record_only(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, replace(SMALL, fail=Fail.SERVER_REJECTS))
    recorded.pair.network.run(lambda: recorded.pair.connection.is_closed)
    recorded.close()
    assert len(list(tmp_path.iterdir())) == 1
    (closed,) = named(recorded.events("client"), "connectivity:connection_closed")
    assert (closed["trigger"], closed["fastmux_phase"]) == ("error", "handshake")
    assert not recorded.pair.server.accepted


def test_strangers_make_no_files(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.pair.network.drop = lambda index, data: index >= 1  # one knock, and then silence
    recorded.pair.network.run_for(20.0)
    recorded.close()
    assert [path.name for path in tmp_path.iterdir() if "server" in path.name] == []


def test_a_move_is_recorded(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.pair.open()
    recorded.pair.network.rebind(recorded.pair.client)
    assert transfer(recorded.pair, DATA) == DATA
    recorded.close()
    moved = named(recorded.events("server"), "connectivity:path_updated")
    assert moved
    assert moved[0]["old"] != moved[0]["new"]


@pytest.mark.parametrize("error", [HandshakeError("no answer"), ConnectionError("text")])
def test_any_error_can_be_the_end(tmp_path: Path, error: ConnectionError) -> None:
    directory = QlogDirectory(str(tmp_path))
    observer = recorder(directory)(Subject(True, c.VERSION_1, ("10.0.0.1", 1), b"local-id", b"first-id"))
    assert observer is not None
    observer.started(1.0)
    observer.event(Closed(error), 2.5)
    directory.wait_written()
    (path,) = tmp_path.iterdir()
    last = events_of(path)[-1]
    assert last["time"] == 1500.0
    assert last["data"]["reason"] == str(error)
