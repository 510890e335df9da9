"""An end with keys that breaks the rules, and what a run makes of an honest end that bears it badly."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol import data_space
from sim.failure import failure_of
from sim.mutator import Change, Hostility, Strike
from sim.runs import run_schedule
from sim.schedule import Schedule
from sim.swarm import expand


def calm_schedule(role: int, strikes: list[Strike]) -> Schedule:
    """Seed 0's channels on a good path, with one hostile end."""
    schedule = replace(expand(0), moves=(), attacks=(), uses_tls=False)
    hostility = Hostility(role, tuple(strikes))
    return replace(schedule, faults=schedule.faults.calm(), hostility=hostility)


def noise(role: int, seed: int = 1) -> Schedule:
    """One end sends random payloads, which break a rule at once."""
    return calm_schedule(role, [Strike(index, Change.NOISE, seed + index) for index in range(5, 12)])


@pytest.mark.parametrize("role", [c.ROLE_CLIENT, c.ROLE_SERVER])
@pytest.mark.parametrize("change", list(Change))
def test_an_honest_end_bears_every_kind_of_change(change: Change, role: int) -> None:
    for seed in range(2):
        strikes = [Strike(index, change, seed * 100 + index) for index in range(3, 60, 9)]
        run_schedule(calm_schedule(role, strikes))


def test_hostile_ends_bring_about_many_kinds_of_closes_and_all_of_them_legal() -> None:
    closes: Counter[str] = Counter()
    for seed in range(90):
        schedule = expand(seed)
        if schedule.hostility is not None:
            outcome = run_schedule(schedule)
            closes[outcome.closes[1 - schedule.hostility.role]] += 1
    assert len(closes) >= 4, closes


class Careless:
    """A data path that bears broken rules badly, in a way that `wrong` says."""

    wrong = ""
    hoard: ClassVar[list[core.RangeSet]] = []

    def __init__(self, *arguments: Any, **limits: Any) -> None:
        self._honest = core.DataPath(*arguments, **limits)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._honest, name)

    def receive(self, *arguments: Any) -> int:
        """Take a packet."""
        try:
            return self._honest.receive(*arguments)
        except ProtocolError as error:
            if self.wrong == "raises":
                raise IndexError("no such frame") from error
            if self.wrong == "code":
                raise ProtocolError(0x77, error.reason) from error
            if self.wrong == "hoards":
                self.hoard.append(core.RangeSet((n * 2, n * 2 + 1) for n in range(200_000)))
            raise


class CarelessCore:
    """Stands for `fastmux.core` where data paths are made."""

    DataPath = Careless


@pytest.mark.parametrize(
    ("wrong", "text"),
    [("raises", "no such frame"), ("code", "the honest end closed with"), ("hoards", "the core holds")],
)
def test_an_honest_end_that_bears_it_badly_fails(
    monkeypatch: pytest.MonkeyPatch, wrong: str, text: str
) -> None:
    if wrong == "hoards" and core.IMPLEMENTATION == "python":
        pytest.skip("the pure core does not count range sets")
    monkeypatch.setattr(Careless, "wrong", wrong)
    monkeypatch.setattr(data_space, "core", CarelessCore)
    failure = failure_of(noise(c.ROLE_CLIENT))
    Careless.hoard.clear()
    assert failure is not None
    assert text in failure


def test_the_same_runs_pass_behind_the_same_wrapper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_space, "core", CarelessCore)
    for role in (c.ROLE_CLIENT, c.ROLE_SERVER):
        assert failure_of(noise(role)) is None
