"""Files are private, bounded together, and never waited for."""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from fastmux.qlog.directory import QlogDirectory, directory_for

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@posix_only
def test_files_and_directory_are_their_owners_alone(tmp_path: Path) -> None:
    directory = QlogDirectory(str(tmp_path / "new"))
    assert directory.write("a.sqlog", b"one", is_first=True)
    assert directory.write("a.sqlog", b" two")
    directory.wait_written()
    file = tmp_path / "new" / "a.sqlog"
    assert file.read_bytes() == b"one two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_is_there_already_is_neither_followed_nor_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "a.sqlog").symlink_to(tmp_path / "victim")
    directory = QlogDirectory(str(tmp_path))
    directory.write("a.sqlog", b"one", is_first=True)
    directory.wait_written()
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not directory.is_open
    assert len(warnings(caplog)) == 1


def test_an_error_is_one_warning_and_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    directory = QlogDirectory(str(tmp_path / "file"))
    for number in range(3):
        directory.write(f"{number}.sqlog", b"one", is_first=True)
    directory.wait_written()
    assert not directory.write("9.sqlog", b"one", is_first=True)
    assert not directory.admits_file()
    assert len(warnings(caplog)) == 1


def test_all_files_together_have_a_limit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = QlogDirectory(str(tmp_path), max_size=100)
    assert directory.write("a.sqlog", bytes(60), is_first=True)
    assert not directory.write("b.sqlog", bytes(60), is_first=True)
    assert not directory.write("a.sqlog", b"x")
    directory.wait_written()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) == 60
    assert "60 bytes" in warnings(caplog)[0]


def test_their_number_has_a_limit_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = QlogDirectory(str(tmp_path), max_files=2)
    assert [directory.admits_file() for _ in range(4)] == [True, True, False, False]
    assert len(warnings(caplog)) == 1


def test_a_slow_disk_costs_records_and_not_memory_or_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_blocked = threading.Event()
    real = os.open

    def slow(path: str, flags: int, mode: int = 0o777) -> int:
        assert is_blocked.wait(20)
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", slow)
    directory = QlogDirectory(str(tmp_path), max_backlog=100)
    taken = [directory.write("a.sqlog", bytes(40), is_first=not number) for number in range(5)]
    assert taken == [True, True, False, False, False]
    is_blocked.set()
    directory.wait_written()
    assert directory.write("a.sqlog", bytes(40))
    directory.wait_written()
    assert (tmp_path / "a.sqlog").stat().st_size == 120


def test_a_path_has_one_directory_in_a_process(tmp_path: Path) -> None:
    assert directory_for(tmp_path) is directory_for(str(tmp_path) + os.sep)
    assert directory_for(tmp_path) is not directory_for(tmp_path / "other")
