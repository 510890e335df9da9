"""Makes a schedule that fails smaller, as long as it fails.

Owns: which smaller schedules are tried, in which order, and when to stop. May not know: what failing means
(the caller says), how a schedule is run. Delta debugging (Zeller and Hildebrandt, 2002) over the parts of a
schedule: faults off, channels and the like left out, moves and attacks left out, settings back to their
defaults, sizes halved, times rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any, Final, TypeVar

from fastmux.protocol.configuration import Configuration
from network.conditions import Conditions
from sim.faults import Faults
from sim.plan import ChannelPlan, End, Ending, Plan, SidePlan
from sim.schedule import Schedule
from sim.swarm import size_of

MAX_RUNS: Final = 1000
ROUNDS: Final = 4
_T = TypeVar("_T")
_KEPT: Final = ("idle_timeout", "handshake_timeout")  # without patience a schedule fails for another reason
_PLAIN: Final = Conditions()
_PLAIN_WRITING: Final[tuple[tuple[str, Any], ...]] = (
    ("end", End.FINISH),
    ("start_after", 0.0),
    ("burst", 0),
    ("in_batches", False),
    ("watch_bursts", False),
    ("watch_end", False),
    ("code", 0),
)
_PLAIN_READING: Final[tuple[tuple[str, Any], ...]] = (
    ("stop_after", None),
    ("start_after", None),
    ("burst", 0),
    ("in_place", False),
    ("max_size", 65536),
    ("code", 0),
)


class Shrinker:
    """`fails(schedule)` is True if a schedule fails in the way in question.

    Invariant: `schedule` fails; `runs` counts the questions, at most `max_runs`.
    """

    def __init__(
        self, schedule: Schedule, fails: Callable[[Schedule], bool], max_runs: int = MAX_RUNS
    ) -> None:
        self.schedule = schedule
        self.runs = 0
        self._fails = fails
        self._max_runs = max_runs

    def shrink(self) -> Schedule:
        """Give the smallest that was found."""
        for _ in range(ROUNDS):
            before = self.schedule
            for step in (
                self._faults_off,
                self._leave_out_parts,
                self._plain_settings,
                self._plain_channels,
                self._smaller_sizes,
                self._round_times,
            ):
                step()
            if self.schedule == before or self.runs >= self._max_runs:
                break
        return self.schedule

    def _try(self, candidate: Schedule) -> bool:
        if candidate == self.schedule or self.runs >= self._max_runs:
            return False
        self.runs += 1
        if not self._fails(candidate):
            return False
        self.schedule = candidate
        return True

    def _without(self, items: Sequence[_T], build: Callable[[tuple[_T, ...]], Schedule]) -> None:
        """Leave out as many of the items as can be: all, halves, quarters, single ones."""
        kept = tuple(items)
        size = len(kept)
        while size:
            start = 0
            while start < len(kept):
                fewer = kept[:start] + kept[start + size :]
                if self._try(build(fewer)):
                    kept = fewer
                else:
                    start += size
            size //= 2

    # --- faults -------------------------------------------------------------------------------------

    def _faults_off(self) -> None:
        ways = self.schedule.faults
        calm = [replace(_PLAIN, delay=way.delay) for way in (ways.to_server, ways.to_client)]
        if self._try(replace(self.schedule, faults=Faults(*calm))):
            return
        for field in fields(Conditions):
            off = {field.name: getattr(_PLAIN, field.name)}
            ways = self.schedule.faults
            one, other = replace(ways.to_server, **off), replace(ways.to_client, **off)
            for faults in (
                Faults(one, other),
                Faults(one, ways.to_client),
                Faults(ways.to_server, other),
            ):
                if self._try(replace(self.schedule, faults=faults)):
                    break

    # --- parts --------------------------------------------------------------------------------------

    def _leave_out_parts(self) -> None:
        self._without(self.schedule.plan.channels, self._with_channels)
        self._without(self.schedule.moves, lambda moves: replace(self.schedule, moves=moves))
        self._without(self.schedule.attacks, lambda attacks: replace(self.schedule, attacks=attacks))
        hostility = self.schedule.hostility
        if hostility is not None:
            self._without(
                hostility.strikes,
                lambda strikes: replace(self.schedule, hostility=replace(hostility, strikes=strikes)),
            )
        for role in range(2):
            side = self.schedule.plan.sides[role]
            self._without(side.datagrams, partial(self._with_some, role, "datagrams"))
            self._without(side.pings, partial(self._with_some, role, "pings"))

    def _with_plan(self, **changes: Any) -> Schedule:
        return replace(self.schedule, plan=replace(self.schedule.plan, **changes))

    def _with_channels(self, channels: tuple[ChannelPlan, ...]) -> Schedule:
        return self._with_plan(channels=channels, total_size=size_of(channels))

    def _with_some(self, role: int, name: str, items: tuple[Any, ...]) -> Schedule:
        return self._with_side(role, **{name: items})

    def _with_side(self, role: int, **changes: Any) -> Schedule:
        sides: list[SidePlan] = list(self.schedule.plan.sides)
        sides[role] = replace(sides[role], **changes)
        return self._with_plan(sides=(sides[0], sides[1]))

    # --- settings -----------------------------------------------------------------------------------

    def _plain_settings(self) -> None:
        self._try(replace(self.schedule, uses_tls=False))
        self._try(self._with_plan(mtu=1500))
        self._try(self._with_plan(ending=Ending.QUIET))
        default = Configuration()
        for role in range(2):
            configuration = self.schedule.plan.sides[role].configuration
            plain = replace(default, **{name: getattr(configuration, name) for name in _KEPT})
            if self._try(self._with_side(role, configuration=plain)):
                continue
            for field in fields(Configuration):
                if field.name not in _KEPT:
                    self._try_setting(role, field.name, getattr(default, field.name))

    def _try_setting(self, role: int, name: str, value: Any) -> None:
        configuration = self.schedule.plan.sides[role].configuration
        try:
            configuration = replace(configuration, **{name: value})
        except ValueError:
            return  # it does not go with the others
        self._try(self._with_side(role, configuration=configuration))

    # --- channels -----------------------------------------------------------------------------------

    def _plain_channels(self) -> None:
        """One by one: what a channel does besides carrying bytes."""
        for place in range(len(self.schedule.plan.channels)):
            for change in _plainer_channels():
                channels = list(self.schedule.plan.channels)
                channels[place] = change(channels[place])
                self._try(self._with_channels(tuple(channels)))

    def _smaller_sizes(self) -> None:
        for place in range(len(self.schedule.plan.channels)):
            for index in range(2):
                self._without(self._sizes(place, index), partial(self._with_sizes, place, index))
                self._halve(place, index)

    def _sizes(self, place: int, index: int) -> tuple[int, ...]:
        return self.schedule.plan.channels[place].writing[index].sizes

    def _with_sizes(self, place: int, index: int, sizes: tuple[int, ...]) -> Schedule:
        channels = list(self.schedule.plan.channels)
        channels[place] = _with_writing(channels[place], index, sizes=sizes)
        return self._with_channels(tuple(channels))

    def _halve(self, place: int, index: int) -> None:
        while any(size > 1 for size in self._sizes(place, index)):
            halves = tuple((size + 1) // 2 for size in self._sizes(place, index))
            if not self._try(self._with_sizes(place, index, halves)):
                return

    # --- times --------------------------------------------------------------------------------------

    def _round_times(self) -> None:
        """Nothing waits, or all wait for round times."""
        for digits in (0, 1):
            self._try(_rounded(self.schedule, digits))
        for place in range(len(self.schedule.moves)):
            moves = list(self.schedule.moves)
            moves[place] = replace(moves[place], after=round(moves[place].after, 1))
            self._try(replace(self.schedule, moves=tuple(moves)))
        for place in range(len(self.schedule.attacks)):
            attacks = list(self.schedule.attacks)
            attack = attacks[place]
            for changed in (
                replace(attack, count=1),
                replace(attack, count=(attack.count + 1) // 2),
                replace(attack, after=round(attack.after, 1)),
            ):
                attacks[place] = changed
                if self._try(replace(self.schedule, attacks=tuple(attacks))):
                    break
        self._round_faults()

    def _round_faults(self) -> None:
        """Delays and rates in round figures: they are read more easily."""
        for name in ("delay", "loss", "rate", "jitter", "reordering", "duplication", "damage"):
            ways = self.schedule.faults
            one, other = (_with_short(way, name) for way in (ways.to_server, ways.to_client))
            self._try(replace(self.schedule, faults=Faults(one, other)))


def _with_short(conditions: Conditions, name: str) -> Conditions:
    """One setting in one significant digit."""
    value = getattr(conditions, name)
    short: Any = None if value is None else float(f"{value:.0e}")
    return replace(conditions, **{name: short})


def _rounded(schedule: Schedule, digits: int) -> Schedule:
    """All times of the plan, rounded."""
    plan: Plan = schedule.plan
    channels = []
    for channel in plan.channels:
        one, other = (
            replace(
                writing,
                start_after=round(writing.start_after, digits),
                pause=max(round(writing.pause, digits), 0.01),
            )
            for writing in channel.writing
        )
        channels.append(replace(channel, open_after=round(channel.open_after, digits), writing=(one, other)))
    close_after = max(round(plan.close_after, digits), 0.1)
    return replace(schedule, plan=replace(plan, channels=tuple(channels), close_after=close_after))


def _with_writing(channel: ChannelPlan, index: int, **changes: Any) -> ChannelPlan:
    writings = list(channel.writing)
    writings[index] = replace(writings[index], **changes)
    return replace(channel, writing=(writings[0], writings[1]))


def _with_reading(channel: ChannelPlan, index: int, **changes: Any) -> ChannelPlan:
    readings = list(channel.reading)
    readings[index] = replace(readings[index], **changes)
    return replace(channel, reading=(readings[0], readings[1]))


def _plainer_channels() -> Iterator[Callable[[ChannelPlan], ChannelPlan]]:
    """Ways to make a channel do less."""
    yield lambda channel: replace(channel, abandoned=(None, None))
    yield lambda channel: replace(channel, changes=((), ()))
    yield lambda channel: replace(channel, priority=0)
    yield lambda channel: replace(channel, label=channel.label.rstrip(b"x"))
    yield lambda channel: replace(channel, open_after=0.0)
    yield lambda channel: replace(channel, release_at_once=False)
    for index in range(2):
        for name, value in _PLAIN_WRITING:
            yield partial(_with_writing, index=index, **{name: value})
        for name, value in _PLAIN_READING:
            yield partial(_with_reading, index=index, **{name: value})
