"""The distance of two cores is measured where it can be, and told as a span."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cores import Cores


def test_a_round_trip_between_cores_takes_nanoseconds(tmp_path: Path) -> None:
    cores = Cores(tmp_path)
    if cores._program is None:
        pytest.skip("one core, no Linux or no C compiler")
    cores.look()
    if not cores.round_trips:
        pytest.skip("the machine is too busy to tell")
    assert 5 < cores.round_trips[0] < 1e6
    assert "core to core" in cores.describe()


def test_an_answer_is_taken_as_it_is_and_a_failure_is_none(tmp_path: Path) -> None:
    cores = Cores(tmp_path)
    cores._program = tmp_path / "asked"
    for script in ("echo 52.5", "echo 1; exit 1"):
        cores._program.write_text(f"#!/bin/sh\n{script}\n")
        cores._program.chmod(0o755)
        cores.look()
    assert cores.round_trips == [52.5]


def test_only_the_answers_since_then_are_told(tmp_path: Path) -> None:
    cores = Cores(tmp_path)
    cores.round_trips = [50.0, 300.4, 60.0]
    assert cores.describe(1) == "core to core and back 60 to 300 ns"
    assert cores.describe(3) == ""
