"""Seeds in several processes: all of them run once, failures are told, crashes and hangs are failures."""

from __future__ import annotations

import io
import os
import time

import pytest

from sim import campaign
from sim.campaign import Tally, Work, progress


def hint(seed: int) -> str:
    return f"repeat {seed}"


def work(seed: int) -> tuple[str | None, float]:
    """Seed 7 fails."""
    return ("seven is wrong" if seed == 7 else None), 1800.0


def crash(seed: int) -> tuple[str | None, float]:
    """Seed 3 takes its process with it."""
    if seed == 3:
        os._exit(9)
    return None, 1.0


def hang(seed: int) -> tuple[str | None, float]:
    """Seed 2 never ends."""
    while seed == 2:
        time.sleep(0.01)
    return None, 1.0


def ready_to_work() -> Work:
    return work


def ready_to_crash() -> Work:
    return crash


def ready_to_hang() -> Work:
    return hang


def test_every_seed_runs_once_and_failures_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    tally = campaign.run(range(100, 145), 2, ready_to_work, hint, out)
    assert (tally.done, tally.failures) == (45, [])
    assert tally.virtual_seconds == 45 * 1800
    tally = campaign.run(range(45), 2, ready_to_work, hint, out)
    assert (tally.done, tally.failures) == (45, ["seven is wrong"])
    assert "seven is wrong" in out.getvalue()
    assert out.getvalue().splitlines()[-1].startswith("45 of 45 seeds, 1 failed")


def test_a_crash_is_a_failure_of_the_seed_that_ran() -> None:
    out = io.StringIO()
    tally = campaign.run(range(45), 1, ready_to_crash, hint, out)
    assert tally.failures == ["the process died, exit status 9\nrepeat 3"]
    assert tally.done == 3 + 25  # the rest of its chunk is gone with it


def test_a_seed_without_end_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "SEED_TIMEOUT", 0.2)
    tally = campaign.run(range(5), 1, ready_to_hang, hint, io.StringIO())
    assert tally.failures == ["no end after 0.2 s\nrepeat 2"]


def test_progress_has_rate_and_simulated_hours() -> None:
    tally = Tally(done=300, virtual_seconds=7200.0, failures=["x"])
    line = progress(tally, 1000, 10.0)
    assert line == "300 of 1000 seeds, 1 failed, 10 s, 30.0 seeds/s, 2.0 simulated hours"
