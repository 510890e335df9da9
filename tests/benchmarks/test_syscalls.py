"""System calls are those between a short and a long run, by what strace wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import syscalls
from bench.harness import BenchError, Contender, Sample
from bench.places import Place

SUMMARY = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 90.00    0.001000           1       900         3 recvmsg
------ ----------- ----------- --------- --------- ----------------
100.00    0.001234           1       {calls}         3 total
"""


def measured(sizes: dict[int, int]) -> object:
    """Stands in for `measure`: `sizes` has the bytes carried for each size asked for."""

    def measure(contender: Contender, place: Place, limit: float, size: int) -> Sample:
        for command in (contender.server, contender.client):
            log = Path(command[command.index("-o") + 1])
            log.write_text(SUMMARY.format(calls=1000 + sizes[size] // 1_000_000))
        return Sample({}, {"total_size": sizes[size]}, {})

    return measure


def count(monkeypatch: pytest.MonkeyPatch, folder: Path, short: int, long: int) -> float:
    sizes = {syscalls.SHORT_SIZE: short, syscalls.LONG_SIZE: long}
    monkeypatch.setattr(syscalls, "measure", measured(sizes))
    return syscalls.syscalls_per_gb(Contender("it", ["server"], ["client"]), folder, 1.0)


def test_starting_and_ending_do_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # One call a million bytes on each side, and a thousand more a process however long it runs.
    assert count(monkeypatch, tmp_path, 1_000_000, 201_000_000) == pytest.approx(2000.0)


def test_a_long_run_that_carried_no_more_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="nothing more"):
        count(monkeypatch, tmp_path, 1_000_000, 1_000_000)
