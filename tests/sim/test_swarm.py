"""What seeds draw: enough of everything, and what must not matter does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fastmux import constants as c
from network.attacker import Kind
from sim import simulation
from sim.failure import failure_of
from sim.faults import Faults
from sim.model import Fate
from sim.mutator import Change
from sim.plan import End, Ending
from sim.runs import run_schedule
from sim.schedule import Schedule
from sim.simulation import Outcome, Simulation
from sim.swarm import HUGE_SIZE, IS_PURE, SMALL_SIZE, expand

SEEDS = 800
SLACK = 2000  # bytes: what is scaled down is rounded up


@pytest.fixture(scope="module")
def schedules() -> list[Schedule]:
    return [expand(seed) for seed in range(SEEDS)]


def share(found: list[bool]) -> float:
    return sum(found) / len(found)


@pytest.mark.skipif(IS_PURE, reason="there large transfers are a tenth")
def test_nine_seeds_of_ten_move_little_and_one_of_a_hundred_a_great_deal(schedules: list[Schedule]) -> None:
    sizes = [schedule.plan.total_size for schedule in schedules]
    assert share([size <= SMALL_SIZE + SLACK for size in sizes]) == pytest.approx(0.9, abs=0.03)
    assert share([size >= HUGE_SIZE for size in sizes]) == pytest.approx(0.01, abs=0.009)


def test_every_kind_of_attack_change_and_fault_is_drawn(schedules: list[Schedule]) -> None:
    assert {attack.kind for schedule in schedules for attack in schedule.attacks} == set(Kind)
    hostile = [schedule.hostility for schedule in schedules if schedule.hostility is not None]
    assert {strike.change for hostility in hostile for strike in hostility.strikes} == set(Change)
    assert {hostility.role for hostility in hostile} == {c.ROLE_CLIENT, c.ROLE_SERVER}
    ways = [schedule.faults.to_client for schedule in schedules]
    for name in ("loss", "burst_start", "replay", "clogged", "coalescing", "dark", "damage", "rate"):
        assert share([bool(getattr(way, name)) for way in ways]) > 0.1, name
    assert max(way.loss for way in ways) > 0.5
    assert max(way.delay for way in ways) > 3.0
    assert any(stop - start > 20.0 for way in ways for start, stop in way.dark)


def test_what_kinds_of_runs_there_are(schedules: list[Schedule]) -> None:
    assert share([schedule.uses_tls for schedule in schedules]) == pytest.approx(0.02, abs=0.01)
    assert share([schedule.is_lossless for schedule in schedules]) == pytest.approx(0.12, abs=0.04)
    assert share([schedule.hostility is not None for schedule in schedules]) == pytest.approx(0.16, abs=0.04)
    assert share([schedule.may_fall_silent for schedule in schedules]) == pytest.approx(0.045, abs=0.02)
    encrypted = share([schedule.plan.script.suite != c.SUITE_NULL for schedule in schedules])
    assert encrypted == pytest.approx(0.5, abs=0.05)


def test_a_part_of_a_seed_does_not_depend_on_the_others(schedules: list[Schedule]) -> None:
    for seed in range(100):
        basic = expand(seed, is_basic=True)
        assert schedules[seed].plan.script.seed == basic.plan.script.seed
        assert schedules[seed].plan.ending is basic.plan.ending
        assert schedules[seed].faults.to_server.jitter == basic.faults.to_server.jitter


# --- what must not matter -----------------------------------------------------------------------------


def ordinary(count: int) -> Iterator[Schedule]:
    """Schedules that replay exactly, without anybody hostile."""
    for seed in range(10_000, 10_400):
        schedule = expand(seed)
        is_small = schedule.plan.total_size <= SMALL_SIZE
        if is_small and not (schedule.uses_tls or schedule.hostility or schedule.attacks):
            yield schedule
            count -= 1
            if not count:
                return


def under(schedule: Schedule, suite: int) -> Schedule:
    """The same under another suite, without key updates, which take timers and packets of their own."""
    script = replace(schedule.plan.script, suite=suite)
    sides = [
        replace(side, configuration=replace(side.configuration, key_update_interval=c.KEY_UPDATE_INTERVAL))
        for side in schedule.plan.sides
    ]
    return replace(schedule, plan=replace(schedule.plan, script=script, sides=(sides[0], sides[1])))


def test_users_see_the_same_at_the_same_times_whatever_encrypts() -> None:
    for schedule in ordinary(5):
        suites = (c.SUITE_NULL, c.SUITE_AES_128_GCM, c.SUITE_CHACHA20_POLY1305)
        outcomes = [run_schedule(under(schedule, suite)) for suite in suites]
        assert len({outcome.told for outcome in outcomes}) == 1, hex(schedule.seed)
        assert len({outcome.digest for outcome in outcomes}) > 1


class Delivering(Simulation):
    """A run that says what each channel came to."""

    def delivered(self) -> dict[tuple[int, int], tuple[object, ...]]:
        """By channel and sender: how much came, and how it ended."""
        return {
            place: (flow.received_size, flow.fate, flow.reset_code, flow.stop_code)
            for place, flow in self.flows.items()
        }


def delivered_by(schedule: Schedule) -> tuple[Outcome, dict[tuple[int, int], tuple[object, ...]]]:
    run = Delivering(schedule)
    return run.run(), run.delivered()


def tame(schedule: Schedule) -> Schedule:
    """Without what makes a race of how far a reader comes: resets, stops, deadlines, early closes."""
    channels = []
    for channel in schedule.plan.channels:
        one, other = (replace(writing, end=End.FINISH) for writing in channel.writing)
        reading, back = (replace(each, stop_after=None) for each in channel.reading)
        channels.append(
            replace(
                channel,
                reliability=c.RELIABLE,
                value=0,
                writing=(one, other),
                reading=(reading, back),
                abandoned=(None, None),
            )
        )
    plan = replace(schedule.plan, channels=tuple(channels), ending=Ending.QUIET)
    return replace(schedule, plan=plan, moves=())


def test_duplicates_and_replays_change_nothing_that_is_delivered() -> None:
    for schedule in map(tame, ordinary(8)):
        calm = schedule.faults.calm()
        ways = [replace(way, duplication=1.0, replay=0.3) for way in (calm.to_server, calm.to_client)]
        one, without = delivered_by(replace(schedule, faults=calm))
        other, with_copies = delivered_by(replace(schedule, faults=Faults(*ways)))
        assert without == with_copies, hex(schedule.seed)
        assert all(fate is Fate.END for _, fate, _, _ in without.values())


# --- what a timeout may do ------------------------------------------------------------------------------


def test_ends_that_are_cut_off_give_up_only_when_their_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    late = 0
    for schedule in map(expand, range(120)):
        if not schedule.may_fall_silent:
            continue
        run_schedule(schedule)
        with monkeypatch.context() as patched:
            patched.setattr(simulation, "TOLERANCE", -1000.0)  # nobody has waited that long
            failure = failure_of(schedule)
        late += failure is not None and "gave up after" in failure
    assert late
