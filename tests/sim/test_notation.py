"""A schedule written down is the same schedule."""

from __future__ import annotations

from dataclasses import replace

from sim.faults import Faults
from sim.notation import describe, from_json, to_json
from sim.runs import run_schedule
from sim.swarm import expand


def test_what_was_written_is_read_again() -> None:
    for seed in range(60):
        for is_basic in (False, True):
            schedule = expand(seed, is_basic=is_basic)
            assert from_json(to_json(schedule)) == schedule


def test_a_schedule_that_was_read_runs_as_the_seed_does() -> None:
    schedule = expand(3)
    assert not schedule.uses_tls
    assert run_schedule(from_json(to_json(schedule))) == run_schedule(schedule)


def test_people_are_told_of_every_part() -> None:
    for seed in range(100):
        schedule = expand(seed)
        text = describe(schedule)
        assert text.count("\nchannel ") == len(schedule.plan.channels)
        assert text.count("\nmove after") == len(schedule.moves)
        assert text.count("\nattack to") == len(schedule.attacks)
        if schedule.hostility is not None:
            assert text.count("\n  packet ") == len(schedule.hostility.strikes)


def test_people_are_told_of_faults() -> None:
    schedule = expand(0)
    lossy = replace(schedule.faults.to_client, loss=0.25, burst_start=0.125)
    text = describe(replace(schedule, faults=Faults(schedule.faults.to_server, lossy)))
    (line,) = [line for line in text.splitlines() if line.startswith("to the client")]
    assert "loss 0.25" in line
    assert "burst_start 0.125" in line
