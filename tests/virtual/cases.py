"""Faults of the asyncio layer by row of the fault table (F27 to F37), each played by one upload.

Owns: what is wrong in each case, and how long it may take at most. May not know: how a fault is made. The
path is as fast as the upload needs to take 8 seconds of virtual time, so that a small one and the table's
10 MB go through the same times: `python -m tests.virtual.runner --table` plays the large ones.
"""

from __future__ import annotations

import asyncio
import errno
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import pytest

from fastmux import Connection
from fastmux.protocol.statistics import ConnectionStatistics
from network.conditions import Conditions
from virtual.faults import Fault
from virtual.transfers import USUAL, Scene
from virtual.world import START, World

CLEAN_TIME: Final = 8.0  # seconds that the bytes alone take
_ROUND_TRIP: Final = 0.03
_MOST_LEFT: Final = 1200  # bytes: no smaller datagram is refused for its size

Act = Callable[[World, Scene, "asyncio.Task[None]"], None]


@dataclass(frozen=True)
class Case:
    """`faults` are the client's, with times from the beginning of the upload; `act` does more while it runs.

    `dark` (seconds) is how long nothing can pass; `loss` the share of datagrams that are lost.
    """

    row: str
    what: str
    faults: tuple[Fault, ...] = ()
    act: Act | None = None
    dark: float = 0.0
    loss: float = 0.0
    watches: bool = True  # whether the loops have `add_reader`

    def limit(self, size: int) -> float:
        """Virtual seconds: 1.5 T + 2 s, T by bytes and dark time or, if longer, by Mathis' formula."""
        ideal = 1.06 * CLEAN_TIME / (1 - self.loss) + 3 * _ROUND_TRIP + self.dark
        mathis = size * _ROUND_TRIP * math.sqrt(self.loss) / (1.22 * _MOST_LEFT)
        return 1.5 * max(ideal, mathis) + 2.0


@dataclass
class Outcome:
    """What was seen: the time, the client's figures and its socket's, and how many turns the loops took."""

    seconds: float
    stats: ConnectionStatistics
    counters: dict[str, int]
    happened: dict[int, int]
    turns: tuple[int, int]
    overflowed: int
    notes: list[str] = field(default_factory=list)


def path_for(size: int) -> Conditions:
    """The usual path, as fast as it takes; its queue holds a quarter of a second, 16 KB at least."""
    rate = size / CLEAN_TIME
    return replace(USUAL, rate=rate, queue_size=max(int(rate / 4), 16_000))


def play(case: Case, size: int, seed: int = 0) -> Outcome:
    """Play a case with so many bytes. Raises AssertionError if anything did not go as it must."""
    with World(seed, path_for(size)) as world:
        scene = Scene(world, watches=case.watches)
        connection = scene.open()
        began_at = world.now
        for fault in case.faults:
            scene.near.schedule.add(fault.moved(began_at))
        task = scene.start_upload(connection, size)
        if case.act is not None:
            case.act(world, scene, task)
        world.run_until(task.done, timeout=case.limit(size))
        task.result()
        outcome = _outcome(world, scene, connection, world.now - began_at)
        assert outcome.seconds <= case.limit(size), f"{outcome.seconds} s, not {case.limit(size)} s"
        assert outcome.overflowed == 0
        scene.near.schedule.faults.clear()
        scene.close(connection)
        assert world.chatter() == []
        return outcome


def _outcome(world: World, scene: Scene, connection: Connection, seconds: float) -> Outcome:
    sockets = [*scene.near.sockets.values(), *scene.far.sockets.values()]
    return Outcome(
        seconds,
        connection.stats,
        connection._driver.transport.counters(),
        dict(scene.near.schedule.happened),
        (scene.near.turns, scene.far.turns),
        sum(sock.overflowed for sock in sockets),
    )


# --- clocks and blocked loops ---------------------------------------------------------------------------


def wall_clock(change: float) -> Act:
    """The wall clock is set by so many seconds once a second."""

    def act(world: World, scene: Scene, task: asyncio.Task[None]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            shift = 0.0
            wall, wall_ns = time.time, time.time_ns
            patch.setattr(time, "time", lambda: wall() + shift)
            patch.setattr(time, "time_ns", lambda: wall_ns() + int(shift * 1e9))
            for _ in seconds_of(world, task, 1.0):
                shift += change

    return act


def jump(side: str, seconds: float) -> Act:
    """The monotonic clock of one side leaps ahead after three seconds."""

    def act(world: World, scene: Scene, task: asyncio.Task[None]) -> None:
        world.run_for(3.0)
        getattr(scene, side).jump(seconds)

    return act


def coarse(tick: float) -> Act:
    """Both clocks say the same again and again, for so long."""

    def act(world: World, scene: Scene, task: asyncio.Task[None]) -> None:
        scene.near.tick = scene.far.tick = tick

    return act


def blocked(side: str, seconds: float) -> Act:
    """One side's loop gets no turn for so long, every ten seconds, first after two."""

    def act(world: World, scene: Scene, task: asyncio.Task[None]) -> None:
        world.run_for(2.0)
        getattr(scene, side).block(seconds)
        for _ in seconds_of(world, task, 10.0):
            getattr(scene, side).block(seconds)

    return act


def seconds_of(world: World, task: asyncio.Task[None], interval: float) -> Iterator[float]:
    """Run, and come back every `interval` seconds until the task is done."""
    while not task.done() and world.now - START < 600.0:
        stop_at = world.now + interval

        def is_time(stop_at: float = stop_at) -> bool:
            return task.done() or world.now >= stop_at

        world.call_at(stop_at, bool)
        world.run_until(is_time)
        if not task.done():
            yield world.now


def strangers(world: World, scene: Scene, task: asyncio.Task[None]) -> None:
    """Empty datagrams and garbage from elsewhere reach both ends, a hundred a second."""
    for _ in seconds_of(world, task, 0.01):
        for host in (scene.near, scene.far):
            for sock in list(host.sockets.values()):
                world.inject(b"", ("10.9.9.9", 9), sock.getsockname())
                world.inject(b"\x40" + bytes(40), ("10.9.9.9", 9), sock.getsockname())


def _refusals() -> list[Case]:
    """Refusals that are nothing but lost datagrams: a tenth of them, and all for a while."""
    cases = []
    names = {"ENOBUFS": "F35", "EPERM": "F36", "ECONNREFUSED": "F33"}
    names |= dict.fromkeys(("ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EIO", "EINVAL"), "F37")
    for name, row in names.items():
        code = getattr(errno, name)
        some = Fault(code=code, probability=0.1)
        cases.append(Case(row, f"{name} for 10 % of the calls", (some,), loss=0.1))
        cases.append(Case(row, f"{name} for 2 s", (Fault(code=code, start=2, stop=4),), dark=2.0))
    return cases


_EAGAIN: Final = Fault(code=errno.EAGAIN, probability=0.1)
_NO_BUFFERS: Final = Fault(code=errno.ENOBUFS, start=2, stop=4)
_REFUSED: Final = Fault(code=errno.ECONNREFUSED)

CASES: Final = [
    Case("F27", "wall clock +1 h every second", act=wall_clock(3600.0)),
    Case("F27", "wall clock -10 years every second", act=wall_clock(-10 * 365 * 86400.0)),
    Case("F28", "monotonic clock +5 s, the sender's", act=jump("near", 5.0)),
    Case("F28", "monotonic clock +5 s, the receiver's", act=jump("far", 5.0)),
    Case("F28", "both clocks tick every 15.6 ms only", act=coarse(1 / 64)),
    Case("F28", "both clocks tick every 250 ms only", act=coarse(0.25), dark=8.0),
    *(
        Case("F29", f"the {who}'s loop blocked {time_} s, every 10 s", act=blocked(side, time_), dark=dark)
        for side, who in (("near", "sender"), ("far", "receiver"))
        for time_, dark in ((0.25, 0.25), (1.0, 1.0), (5.0, 10.0))
    ),
    Case("F33", "ECONNREFUSED once", (replace(_REFUSED, start=2, count=1),)),
    Case("F33", "ECONNREFUSED 100 times", (replace(_REFUSED, probability=0.2, count=100),), loss=0.2),
    Case("F33", "ECONNREFUSED for 10 s", (replace(_REFUSED, start=2, stop=12),), dark=10.0),
    Case("F33", "ECONNREFUSED told by receiving", (replace(_REFUSED, call="receive", probability=0.1),)),
    Case("F34", "EMSGSIZE once", (Fault(code=errno.EMSGSIZE, start=2, count=1),)),
    Case("F34", "EMSGSIZE above 1280 B, from 2 s on", (Fault(code=errno.EMSGSIZE, start=2, min_size=1281),)),
    Case("F35", "EAGAIN for 10 % of the calls", (_EAGAIN,)),
    Case("F35", "EAGAIN for 2 s", (replace(_EAGAIN, probability=1, start=2, stop=4, pause=0.1),), dark=2.0),
    Case("F36", "EPERM for 5 s", (Fault(code=errno.EPERM, start=2, stop=7),), dark=5.0),
    Case("F37", "EIO for trains (GSO)", (Fault(code=errno.EIO, trains_only=True),)),
    Case("F37", "EINVAL for trains (GSO)", (Fault(code=errno.EINVAL, trains_only=True),)),
    Case("F37", "EINTR for every third call", (Fault(code=errno.EINTR, probability=0.3),)),
    Case("F37", "empty datagrams and garbage from strangers", act=strangers),
    *_refusals(),
    Case("F35", "no add_reader, EAGAIN for 10 %", (_EAGAIN,), watches=False),
    Case("F35", "no add_reader, ENOBUFS for 2 s", (_NO_BUFFERS,), dark=2.0, watches=False),
]
