"""A file stays bounded, and says where something is missing."""

from __future__ import annotations

from pathlib import Path

from fastmux import constants as c
from fastmux.qlog import lines
from fastmux.qlog.directory import QlogDirectory
from fastmux.qlog.trace_file import TraceFile
from qlog.reading import events_of, named

FIRST = lines.header(role="client", group_id="00", reference_time=0.0, title="t", generator="g")


class Deaf(QlogDirectory):
    """A directory whose disk takes nothing for a while."""

    is_deaf = False

    def write(self, name: str, data: bytes, *, is_first: bool = False) -> bool:
        return not self.is_deaf and super().write(name, data, is_first=is_first)


def event(number: int, milliseconds: float | None = None) -> bytes:
    at = number if milliseconds is None else milliseconds
    return lines.event(at, "a:b", {"number": number, "text": "x" * 100})


def last(number: int) -> bytes:
    return lines.event(float(number), "a:end", {})


def test_everything_is_there_in_its_order(tmp_path: Path) -> None:
    directory = QlogDirectory(str(tmp_path))
    file = TraceFile(directory, "f", FIRST)
    file.begin()
    for number in range(5000):
        file.add(event(number), float(number))
    file.end(lambda: last(5000), 5000.0)
    directory.wait_written()
    events = events_of(tmp_path / "f")
    assert [data["number"] for data in named(events, "a:b")] == list(range(5000))
    assert events[-1]["name"] == "a:end"


def test_what_is_rare_reaches_the_disk_within_the_interval(tmp_path: Path) -> None:
    directory = QlogDirectory(str(tmp_path))
    file = TraceFile(directory, "f", FIRST)
    file.begin()
    file.add(event(0), 0.0)
    file.add(event(1), 10.0)
    directory.wait_written()
    assert len(events_of(tmp_path / "f")) == 1
    file.add(event(2), c.QLOG_FLUSH_INTERVAL * 1000)
    directory.wait_written()
    assert len(events_of(tmp_path / "f")) == 3


def test_a_full_file_ends_with_a_record_that_says_so_and_the_end(tmp_path: Path) -> None:
    directory = QlogDirectory(str(tmp_path))
    size = 20_000
    file = TraceFile(directory, "f", FIRST, max_size=size)
    file.begin()
    for number in range(10_000):
        file.add(event(number), float(number))
    assert file.is_full
    file.end(lambda: last(10_000), 10_000.0)
    directory.wait_written()
    events = events_of(tmp_path / "f")
    assert [each["name"] for each in events[-3:]] == ["a:b", "loglevel:warning", "a:end"]
    assert "full" in events[-2]["data"]["message"]
    assert size // 2 < (tmp_path / "f").stat().st_size <= size


def test_nothing_is_written_before_the_beginning(tmp_path: Path) -> None:
    directory = QlogDirectory(str(tmp_path))
    file = TraceFile(directory, "f", FIRST, early_size=2000)
    for number in range(1000):
        file.add(event(number), float(number))
    file.end(lambda: last(1000), 1000.0)
    directory.wait_written()
    assert not (tmp_path / "f").exists()


def test_what_came_before_the_beginning_is_kept_up_to_a_limit(tmp_path: Path) -> None:
    directory = QlogDirectory(str(tmp_path))
    file = TraceFile(directory, "f", FIRST, early_size=2000)
    for number in range(100):
        file.add(event(number, 0.0), 0.0)
    file.begin()
    file.end(lambda: last(0), 0.0)
    directory.wait_written()
    events = events_of(tmp_path / "f")
    (warning,) = named(events, "loglevel:warning")
    kept = len(named(events, "a:b"))
    assert 0 < kept < 20
    assert warning["message"].startswith(f"{100 - kept} events are missing")


def test_what_the_disk_could_not_take_is_counted_where_it_is_missing(tmp_path: Path) -> None:
    directory = Deaf(str(tmp_path))
    file = TraceFile(directory, "f", FIRST)
    file.begin()
    file.add(event(0), 0.0)
    for number, is_deaf in ((2000, True), (4000, True), (6000, False)):
        directory.is_deaf = is_deaf
        file.add(event(number), float(number))
    directory.wait_written()
    events = events_of(tmp_path / "f")
    assert [data["number"] for data in named(events, "a:b")] == [0, 6000]
    assert named(events, "loglevel:warning")[0]["message"].startswith("2 events are missing")


def test_a_file_whose_beginning_is_lost_is_given_up(tmp_path: Path) -> None:
    directory = Deaf(str(tmp_path))
    directory.is_deaf = True
    file = TraceFile(directory, "f", FIRST)
    file.begin()
    file.add(event(0), 0.0)
    directory.is_deaf = False
    assert file.is_full
    file.end(lambda: last(1), 1.0)
    directory.wait_written()
    assert not (tmp_path / "f").exists()


def test_without_room_for_one_more_file_there_is_none(tmp_path: Path) -> None:
    directory = QlogDirectory(str(tmp_path), max_files=0)
    file = TraceFile(directory, "f", FIRST)
    file.begin()
    file.add(event(0), 0.0)
    file.end(lambda: last(1), 1.0)
    directory.wait_written()
    assert list(tmp_path.iterdir()) == []
