"""What a seed draws beyond its plan and the first faults: a swarm of faults, knobs, sizes, attackers.

Owns: the drawing of it, each thing by dice of its own, so that none depends on another. May not know: how
any of it is carried out. `expand` is what a seed means; with `is_basic` it is what it meant before there
was a swarm.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, Final

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.configuration import Configuration
from network.attacker import Attack, Kind
from network.conditions import Conditions
from sim.faults import Faults, draw_faults, log_uniform
from sim.moves import draw_moves
from sim.mutator import Change, Hostility, Strike
from sim.plan import LARGE_SIZE, ChannelPlan, Plan, draw_large, draw_plan
from sim.schedule import Schedule

START: Final = 100.0  # where the network's clock begins
SMALL_SIZE: Final = 64_000  # bytes: what 90 % of the seeds move at most
MEDIUM_SHARE: Final = 0.09
MEDIUM_SIZE: Final = LARGE_SIZE
HUGE_SHARE: Final = 0.01
HUGE_SIZE: Final = 20_000_000
EXTREME_SHARE: Final = 0.1
TLS_SHARE: Final = 0.02
HOSTILE_SHARE: Final = 0.2
ATTACKED_SHARE: Final = 0.5
IS_PURE: Final = core.IMPLEMENTATION == "python"
_EARLY: Final = (Kind.REPLAY, Kind.SPOOF, Kind.FORGE, Kind.JUNK, Kind.STEAL)  # may come before the keys


def expand(seed: int, *, is_basic: bool = False) -> Schedule:
    """Draw all that seed `seed` does. `is_basic`: without what this module draws."""
    random = Random(f"fastmux {seed}")
    plan = draw_plan(random, seed, LARGE_SIZE // 10 if IS_PURE else LARGE_SIZE)
    if not is_basic:
        plan = _with_size(plan, Random(f"size {seed}"))
    min_rate = max(30_000.0, plan.total_size / 20)
    faults = draw_faults(random, START, min_rate, plan.mtu)
    moves = () if faults.is_gentle else draw_moves(Random(f"moves {seed}"))
    schedule = Schedule(seed=seed, plan=plan, faults=faults, moves=moves)
    return schedule if is_basic else _with_swarm(schedule)


def _with_swarm(schedule: Schedule) -> Schedule:
    seed = schedule.seed
    schedule = replace(schedule, plan=_with_knobs(schedule.plan, Random(f"knobs {seed}")))
    if schedule.plan.sides[c.ROLE_CLIENT].configuration.keep_alive is None:
        # Nothing would tell a silent client's server of its new address: the old one has to lead there too.
        moves = tuple(replace(move, keeps_old=True) for move in schedule.moves)
        schedule = replace(schedule, moves=moves)
    if Random(f"tls {seed}").random() < TLS_SHARE:
        schedule = replace(schedule, uses_tls=True)
    if schedule.faults.is_gentle:
        return schedule
    schedule = replace(schedule, faults=_with_more_faults(schedule.faults, Random(f"faults {seed}")))
    extreme = Random(f"extreme {seed}")
    if extreme.random() < EXTREME_SHARE:
        return _with_extremes(schedule, extreme)
    hostile = Random(f"hostile {seed}")
    if hostile.random() < HOSTILE_SHARE:
        return replace(schedule, hostility=_draw_hostility(hostile))
    attacks = Random(f"attacks {seed}")
    if attacks.random() < ATTACKED_SHARE:
        drawn = tuple(_draw_attack(attacks) for _ in range(attacks.randint(1, 6)))
        return replace(schedule, attacks=drawn)
    return schedule


# --- sizes --------------------------------------------------------------------------------------------


def _with_size(plan: Plan, random: Random) -> Plan:
    """Nine seeds of ten move little, one of a hundred a great deal."""
    die = random.random()
    ordinary = tuple(channel for channel in plan.channels if not channel.label.endswith(b":large"))
    if die >= MEDIUM_SHARE + HUGE_SHARE:
        return _scaled(plan, ordinary or plan.channels, SMALL_SIZE)
    if die >= HUGE_SHARE:
        plan = _scaled(plan, ordinary, MEDIUM_SIZE // 4)
        size = int(log_uniform(random, SMALL_SIZE, MEDIUM_SIZE))
    else:
        plan = _scaled(plan, ordinary, MEDIUM_SIZE)
        size = HUGE_SIZE
    number = max((channel.number for channel in plan.channels), default=-1) + 1
    large = draw_large(random, number, size // 10 if IS_PURE else size)
    one, other = (replace(side, configuration=_roomy(side.configuration)) for side in plan.sides)
    channels = (*plan.channels, large)
    return replace(plan, channels=channels, sides=(one, other), total_size=size_of(channels))


def _scaled(plan: Plan, channels: tuple[ChannelPlan, ...], limit: int) -> Plan:
    total = size_of(channels)
    if total > limit:
        channels = tuple(_shrunk(channel, limit / total) for channel in channels)
    return replace(plan, channels=channels, total_size=size_of(channels))


def size_of(channels: tuple[ChannelPlan, ...]) -> int:
    """The bytes that all channels carry."""
    return sum(sum(writing.sizes) for channel in channels for writing in channel.writing)


def _shrunk(channel: ChannelPlan, factor: float) -> ChannelPlan:
    """The same channel with smaller pieces or messages."""
    one, other = (
        replace(writing, sizes=tuple(min(size, int(size * factor) + 1) for size in writing.sizes))
        for writing in channel.writing
    )
    readings = list(channel.reading)
    if channel.kind == c.KIND_STREAM:
        for index, reading in enumerate(readings):
            if reading.stop_after is not None:
                readings[index] = replace(reading, stop_after=int(reading.stop_after * factor))
    return replace(channel, writing=(one, other), reading=(readings[0], readings[1]))


def _roomy(configuration: Configuration) -> Configuration:
    """Windows for a large transfer: those of the defaults."""
    return replace(
        configuration,
        channel_window=c.INITIAL_CHANNEL_WINDOW,
        max_channel_window=c.MAX_CHANNEL_WINDOW,
        connection_window=c.INITIAL_CONNECTION_WINDOW,
        max_connection_window=c.MAX_CONNECTION_WINDOW,
        budget=c.CONNECTION_BUDGET,
        max_message_size=c.MAX_MESSAGE_SIZE,
        write_limit=c.WRITE_LIMIT,
    )


# --- knobs --------------------------------------------------------------------------------------------


def _with_knobs(plan: Plan, random: Random) -> Plan:
    """Settings that make rare paths common: other controllers, odd timers, the smallest windows there are."""
    congestion = random.choice(("cubic", "cubic", "newreno", "bbr"))
    sides = []
    for side in plan.sides:
        settings: dict[str, Any] = {}
        if random.random() < 0.5:
            settings["congestion"] = congestion
        if random.random() < 0.2:
            settings["initial_rtt"] = log_uniform(random, 0.01, 2.0)
        if random.random() < 0.2:
            settings["max_ack_delay"] = log_uniform(random, 0.001, 0.2)
        if random.random() < 0.2:
            settings["keep_alive"] = random.choice((None, log_uniform(random, 0.05, 5.0)))
        if random.random() < 0.1 and plan.total_size <= SMALL_SIZE:
            settings.update(channel_window=1024, connection_window=1024, budget=1024, write_limit=1)
            settings.update(max_channel_window=1024, max_connection_window=1024)
        configuration = replace(side.configuration, **settings)
        sides.append(replace(side, configuration=configuration))
    return replace(plan, sides=(sides[0], sides[1]))


# --- faults -------------------------------------------------------------------------------------------


def _with_more_faults(faults: Faults, random: Random) -> Faults:
    kinds = ("bursts", "replay", "clogs", "queue", "coalescing")
    on = {kind for kind in kinds if random.random() < 0.5}
    return Faults(_more(faults.to_server, on, random), _more(faults.to_client, on, random))


def _more(conditions: Conditions, on: set[str], random: Random) -> Conditions:
    settings: dict[str, Any] = {}
    if "bursts" in on:
        length = log_uniform(random, 2, 50)
        settings.update(
            burst_start=log_uniform(random, 0.0005, 0.1) / length,
            burst_stop=1 / length,
            burst_loss=random.choice((1.0, 1.0, random.uniform(0.3, 1.0))),
        )
    if "replay" in on:
        settings.update(replay=log_uniform(random, 0.001, 0.5), replay_delay=log_uniform(random, 0.01, 60.0))
    if "clogs" in on:
        starts = [START + log_uniform(random, 0.01, 50.0) for _ in range(random.randint(1, 3))]
        settings["clogged"] = tuple((start, start + log_uniform(random, 0.05, 5.0)) for start in starts)
    if "queue" in on and conditions.rate is not None:
        # five packets, or ten seconds: no router in between manages its queue
        settings["queue_size"] = random.choice((7_500, int(conditions.rate * log_uniform(random, 1, 10))))
    if "coalescing" in on and random.random() < 0.5:
        settings["coalescing"] = log_uniform(random, 0.0001, 0.02)
    return replace(conditions, **settings)


def _with_extremes(schedule: Schedule, random: Random) -> Schedule:
    """Worse than anything that has to be borne; half of these seeds have ordinary timeouts.

    They neither move nor are they attacked: so that what a timeout may do can be told exactly.
    """
    kinds = ("loss", "delay", "dark")
    on = {kind for kind in kinds if random.random() < 0.5} or {random.choice(kinds)}
    dark_at = START + log_uniform(random, 0.05, 20.0)
    ways = []
    for conditions in (schedule.faults.to_server, schedule.faults.to_client):
        settings: dict[str, Any] = {}
        if "loss" in on:
            settings["loss"] = random.uniform(0.3, 0.6)
        if "delay" in on:
            settings["delay"] = log_uniform(random, 0.5, 5.0)
        if "dark" in on:
            settings["dark"] = ((dark_at, dark_at + random.uniform(5.0, 29.0)),)
        ways.append(replace(conditions, **settings))
    plan = schedule.plan
    if random.random() < 0.5:
        idle, handshake = c.DEFAULT_IDLE_TIMEOUT, c.HANDSHAKE_TIMEOUT
        sides = [
            replace(
                side,
                configuration=replace(side.configuration, idle_timeout=idle, handshake_timeout=handshake),
            )
            for side in plan.sides
        ]
        plan = replace(plan, sides=(sides[0], sides[1]))
    return replace(schedule, faults=Faults(*ways), plan=plan, moves=())


# --- attackers ----------------------------------------------------------------------------------------


def _draw_attack(random: Random) -> Attack:
    is_late = random.random() < 0.7
    return Attack(
        kind=random.choice(tuple(Kind) if is_late else _EARLY),
        to_server=random.random() < 0.6,
        after=log_uniform(random, 0.005, 20.0) if is_late else log_uniform(random, 0.001, 1.0),
        is_late=is_late,
        count=int(log_uniform(random, 1, 40)),
        seed=random.getrandbits(32),
    )


def _draw_hostility(random: Random) -> Hostility:
    kinds = random.sample(tuple(Change), random.randint(1, 4))
    count = int(log_uniform(random, 1, 60))
    strikes = [
        Strike(int(log_uniform(random, 1, 400)), random.choice(kinds), random.getrandbits(32))
        for _ in range(count)
    ]
    return Hostility(random.randrange(2), tuple(sorted(strikes, key=lambda strike: strike.index)))
