"""An upload survives what clocks, loops and sockets do: content, time, and nothing left over."""

from __future__ import annotations

import pytest

from virtual.cases import CASES, Case, play

SIZE = 400_000  # bytes; the table's rows are played with 10 MB by the runner


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row} {case.what}")
def test_the_upload_arrives_whole_in_time_and_leaves_nothing(case: Case) -> None:
    outcome = play(case, SIZE)
    if case.faults:
        assert sum(outcome.happened.values()) > 0, "the fault never happened"
