"""What a connection does, as the events that viewers know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastmux import constants as c
from fastmux.exceptions import HandshakeError
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import Closed, PathMoved
from fastmux.protocol.observer import Metrics, Observer, Subject, Train
from fastmux.qlog.directory import QlogDirectory
from fastmux.qlog.tracing import recorder
from fastmux.records import LongHeader
from network import Conditions
from protocol.pairs import Pair, make_pair, transfer
from protocol.scripted import SMALL, Fail, Script
from protocol.summaries import acked
from qlog.reading import events_of, named, records
from qlog.schema import faults_of

LOSSY = Conditions(loss=0.05, jitter=0.01, rate=1_250_000)
AES = Script(suite=c.SUITE_AES_128_GCM)
DATA = bytes(range(256)) * 2000
METRICS = Metrics(
    smoothed_rtt=0.1,
    rttvar=0.01,
    min_rtt=0.1,
    latest_rtt=0.1,
    congestion_window=20_000,
    ssthresh=None,
    bytes_in_flight=0,
    is_settled=True,
    largest_lost=-1,
    pto_count=0,
    mtu=c.BASE_PLPMTU,
    counters={"packets_lost": 0, "key_updates": 0},
)


class Recorded:
    """A pair whose ends record themselves."""

    def __init__(
        self, directory: Path, script: Script = SMALL, conditions: Conditions = LOSSY, **settings: Any
    ) -> None:
        self.path = directory
        self._directory = QlogDirectory(str(directory))
        observe = recorder(self._directory, wall_clock=lambda: 1_700_000_000.0)
        configuration = Configuration(observe=observe, max_datagram_size=1452, **settings)
        self.pair: Pair = make_pair(conditions=conditions, script=script, configuration=configuration)

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


def observer_in(path: Path) -> tuple[Observer, QlogDirectory]:
    """An observer of a client that began at 1.0 s."""
    directory = QlogDirectory(str(path))
    observer = recorder(directory)(Subject(True, c.VERSION_1, ("10.0.0.1", 1), b"local-id", b"first-id"))
    assert observer is not None
    observer.started(1.0)
    return observer, directory


def written_by(observer: Observer, directory: QlogDirectory, path: Path) -> list[dict[str, Any]]:
    """End the connection; the events of its file."""
    observer.event(Closed(HandshakeError("over")), 2.0)
    directory.wait_written()
    (file,) = path.iterdir()
    return events_of(file)


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
    sent = of_trains(events)
    assert len(sent) < statistics.packets_sent  # a train is one event
    assert sum(data["raw"]["length"] for data in sent) >= statistics.bytes_sent
    lost = sum(data["fastmux_packet_count"] for data in named(events, "recovery:packet_lost"))
    assert lost == statistics.packets_lost > 0


def of_trains(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The data of each train sent."""
    sent = named(events, "transport:packet_sent")
    return [data for data in sent if data["header"]["packet_type"] == "1RTT"]


def acked_numbers(events: list[dict[str, Any]]) -> list[int]:
    """All numbers that ACK frames name, each of which is a range of its own."""
    frames = [
        frame for data in named(events, "transport:packet_received") for frame in data.get("frames", [])
    ]
    ranges = [each for frame in frames for each in frame.get("acked_ranges", [])]
    assert all(first == last for first, last in ranges)
    return [first for first, _ in ranges]


def test_acks_name_nearly_all_trains_that_arrived_and_no_packet_that_was_lost(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, conditions=Conditions(delay=0.01, rate=1_250_000))
    recorded.pair.open()
    dropped: set[int] = set()

    def drop(index: int, data: bytes) -> bool:
        is_lost = index % 23 == 0 and not data[0] & c.FORM_LONG and len(data) > 1000
        if is_lost:
            start = 1 + len(recorded.pair.accepted.ids.local)
            dropped.add(int.from_bytes(data[start : start + 4], "big"))
        return is_lost

    recorded.pair.network.drop = drop
    assert transfer(recorded.pair, DATA) == DATA
    recorded.close()
    events = recorded.events("client")
    sizes = {data["header"]["packet_number"]: data["raw"]["length"] for data in of_trains(events)}
    acked = acked_numbers(events)
    assert len(acked) == len(set(acked))
    assert set(acked) <= set(sizes)  # so that a viewer finds them
    assert dropped & set(sizes)
    assert not dropped & set(acked)
    arrived = sum(size for number, size in sizes.items() if number not in dropped)
    assert sum(sizes[number] for number in acked) > 0.9 * arrived


def test_losses_are_found_at_their_trains(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.pair.open()
    assert transfer(recorded.pair, DATA) == DATA
    recorded.close()
    events = recorded.events("client")
    sizes = {data["header"]["packet_number"]: data["raw"]["length"] for data in of_trains(events)}
    lost = named(events, "recovery:packet_lost")
    assert len(lost) > 5
    for data in lost:
        assert data["header"]["packet_number"] in sizes
        assert data["raw"]["length"] > 0  # viewers read it unasked


def test_handshake_packets_have_types_and_numbers_by_which_two_files_are_put_together(
    tmp_path: Path,
) -> None:
    recorded = Recorded(tmp_path, conditions=Conditions(delay=0.01))
    recorded.pair.open()
    recorded.close()
    for sender, receiver in (("client", "server"), ("server", "client")):
        sent, received = (
            [
                (data["header"]["packet_number"], data["raw"]["length"])
                for data in named(recorded.events(role), f"transport:packet_{what}")
                if data["header"]["packet_type"] == "initial"
            ]
            for role, what in ((sender, "sent"), (receiver, "received"))
        )
        assert [number for number, _ in sent] == list(range(len(sent)))
        assert received == sent[: len(received)] != []


def test_a_retry_has_no_number(tmp_path: Path) -> None:
    observer, directory = observer_in(tmp_path)
    header = LongHeader(c.LONG_RETRY, c.VERSION_1, b"local-id", b"other-id", b"token", 0, 30)
    observer.handshake_received(header, 80, 1.0)
    observer.event(Closed(HandshakeError("no answer")), 2.0)
    directory.wait_written()
    (path,) = tmp_path.iterdir()
    (data,) = named(events_of(path), "transport:packet_received")
    assert data["header"] == {"packet_type": "retry", "dcid": b"local-id".hex(), "scid": b"other-id".hex()}


def test_no_line_is_begun_that_would_not_go_on(tmp_path: Path) -> None:
    """qlog's `initial_max_data` begins one of the peer's limit, and MAX_DATA frames are not recorded."""
    recorded = Recorded(tmp_path)
    recorded.pair.open()
    recorded.close()
    for data in named(recorded.events("client"), "transport:parameters_set"):
        assert "initial_max_data" not in data
        assert data["fastmux_initial_max_data"] > 0


def test_what_is_in_flight_is_recorded_at_its_crests_too(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, conditions=Conditions(delay=0.01, rate=1_250_000))
    recorded.pair.open()
    assert transfer(recorded.pair, DATA) == DATA
    recorded.close()
    events = recorded.events("client")
    sent_at = {event["time"] for event in events if event["name"] == "transport:packet_sent"}
    crests = [
        event
        for event in events
        if event["name"] == "recovery:metrics_updated" and set(event["data"]) == {"bytes_in_flight"}
    ]
    assert len(crests) > 20
    assert {event["time"] for event in crests} <= sent_at
    troughs = [
        data["bytes_in_flight"]
        for data in named(events, "recovery:metrics_updated")
        if len(data) > 1 and "bytes_in_flight" in data
    ]
    assert max(event["data"]["bytes_in_flight"] for event in crests) > max(troughs)


def test_bare_acks_are_not_taken_for_trains_that_wait(tmp_path: Path) -> None:
    observer, directory = observer_in(tmp_path)
    observer.train_sent(Train(0, 9, 10, 10_000), 10_000, 1.0)
    observer.train_sent(Train(10, 10, 1, 40), 10_000, 1.1)  # as much in flight as before
    observer.train_received(Train(3, 3, 1, 40), 1.2)
    observer.batch(METRICS, acked(10_000, 1.0)._replace(largest_acked=12), 1.2)
    assert acked_numbers(written_by(observer, directory, tmp_path)) == [9]


def test_a_crest_that_is_told_late_is_not_told_behind_its_time(tmp_path: Path) -> None:
    """It was, where bare ACKs went between the train and the next batch: viewers want times in order."""
    observer, directory = observer_in(tmp_path)
    observer.batch(METRICS, None, 1.0)
    observer.train_sent(Train(0, 9, 10, 10_000), 10_000, 1.0002)
    observer.train_sent(Train(10, 10, 1, 40), 10_000, 1.0005)
    observer.batch(METRICS, None, 1.5)
    events = written_by(observer, directory, tmp_path)
    crest = next(event for event in events if event["data"].get("bytes_in_flight") == 10_000)
    assert crest["time"] == 0.5


def test_after_a_move_nothing_is_told_of_trains_that_went_before(tmp_path: Path) -> None:
    observer, directory = observer_in(tmp_path)
    observer.train_sent(Train(0, 9, 10, 10_000), 10_000, 1.0)
    observer.event(PathMoved(("10.0.0.2", 2), ("10.0.0.1", 1), 0, True), 1.1)
    observer.train_sent(Train(10, 12, 3, 3000), 3000, 1.2)
    observer.train_received(Train(3, 3, 1, 40), 1.3)
    observer.batch(METRICS, acked(3000, 1.2)._replace(largest_acked=12), 1.3)
    assert acked_numbers(written_by(observer, directory, tmp_path)) == [12]


def test_more_trains_in_flight_than_are_followed_are_a_warning_once(tmp_path: Path) -> None:
    observer, directory = observer_in(tmp_path)
    for number in range(c.QLOG_MAX_TRAINS + 5):
        observer.train_sent(Train(number, number, 1, 1000), 1000 * (number + 1), 1.0 + number / 1e5)
    (warning,) = named(written_by(observer, directory, tmp_path), "loglevel:warning")
    assert "in flight" in warning["message"]


def test_metrics_are_recorded_when_they_change_and_not_too_often(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.pair.open()
    assert transfer(recorded.pair, DATA) == DATA
    recorded.close()
    events = recorded.events("client")
    metrics = [event for event in events if event["name"] == "recovery:metrics_updated"]
    assert {"smoothed_rtt", "congestion_window", "bytes_in_flight", "pto_count"} <= set(metrics[0]["data"])
    assert any("ssthresh" in event["data"] for event in metrics)
    assert all(event["data"] for event in metrics)
    lost_at = {event["time"] for event in events if event["name"] == "recovery:packet_lost"}
    of_batches = [event["time"] for event in metrics if set(event["data"]) != {"bytes_in_flight"}]
    interval = 1000 * c.QLOG_METRICS_INTERVAL
    for before, after in zip(of_batches, of_batches[1:], strict=False):
        assert after in lost_at or after - before >= interval - 0.002
    # of trains: one an interval, and one before a batch
    crests = len(metrics) - len(of_batches)
    assert 0 < crests <= len(of_batches) + (metrics[-1]["time"] - metrics[0]["time"]) / interval
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
    observer, directory = observer_in(tmp_path)
    observer.event(Closed(error), 2.5)
    directory.wait_written()
    (path,) = tmp_path.iterdir()
    last = events_of(path)[-1]
    assert last["time"] == 1500.0
    assert last["data"]["reason"] == str(error)
