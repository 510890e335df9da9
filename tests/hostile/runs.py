"""How an attack is run: alone for what stays of it, and beside a transfer for what that loses.

Owns: the two runs, and what is measured in them. May not know: any attack.
"""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import dataclass
from itertools import islice

import fastmux
from fastmux import core
from hostile.attacker import HERE, Attack, Attacker, Shots
from hostile.world import Client, Shot, World, live_size
from protocol.scripted import Script

TRANSFER_SIZE = 300_000
A_TICK = 0.001  # seconds
LEAST_SHARE = 0.9
_SOURCES = f"{fastmux.__path__[0]}/*"


@dataclass(frozen=True, slots=True)
class Growth:
    """The most bytes that were held at once beyond what was held before: by the core, by Python objects."""

    core: int
    python: int

    @property
    def total(self) -> int:
        """All together: what the pure core holds are Python objects too."""
        return self.python if core.IMPLEMENTATION == "python" else self.core + self.python


@dataclass(frozen=True, slots=True)
class Alone:
    """What came of an attack that met no other load."""

    code: int | None
    growth: Growth
    shots: int


class Run:
    """A world, an attack that begins, and its attacker."""

    def __init__(
        self, attack: Attack, seed: int = 1, *, script: Script | None = None, dense: int = 10
    ) -> None:
        self.attack = attack
        self.world = World(seed, script=script or attack.script)
        self.victim: Client = self.world.connect("well-behaved", is_read=True)
        self.world.transfer(self.victim, TRANSFER_SIZE)  # its window is open, its path known
        self.world.network.run_for(1.0)
        self.attacker = Attacker(self.world, self.victim, seed, dense)
        self._shots: Shots = attack.begin(self.attacker)
        self._last = Shot(b"", HERE)
        self.count = 0

    @property
    def attacked(self) -> int | None:
        """The code with which the attacker's own connection was closed, None while it was not."""
        return self.world.code(self.attacker.client.far) if self.attacker.has_connection else None

    def next_shots(self, most: int) -> list[Shot]:
        """The attack's next shots; where it is over, its last one again and again."""
        shots = list(islice(self._shots, most))
        self._last = shots[-1] if shots else self._last
        return shots + [self._last] * (most - len(shots))

    def shoot(self, most: int, *, again: bool = False) -> int:
        """So many shots arrive now, fewer if the attack is over; from the beginning `again` if asked to."""
        count = self.world.shoot(islice(self._shots, most))
        if count < most and again:
            self._shots = self.attack.begin(self.attacker)
        self.count += count
        return count

    def alone(self) -> Alone:
        """All shots of the attack, five a millisecond, without other load."""
        network, attack = self.world.network, self.attack
        core_before, core_most = live_size(), 0
        tracemalloc.start()
        try:
            while self.count < attack.shots:
                if not self.shoot(min(attack.at_once, attack.shots - self.count)):
                    break
                core_most = max(core_most, live_size() - core_before)
                network.run_for(A_TICK)
                self.world.forget()
            python = _traced()
        finally:
            tracemalloc.stop()
        return Alone(self.attacked, Growth(core_most, python), self.count)

    def beside(self) -> float:
        """The share of its speed that the well-behaved connection keeps while the attack goes on."""
        world, attack = self.world, self.attack
        self.shoot(1)  # it may have to prepare something
        quiet = world.transfer(self.victim, TRANSFER_SIZE)
        world.network.run_for(1.0)
        start = world.network.now
        world.begin(self.victim, TRANSFER_SIZE)
        while world.ended_at is None:
            self.shoot(attack.at_once, again=True)
            world.network.run_for(A_TICK)
            assert world.network.now < start + 60.0, "the transfer does not end"
        assert self.victim.far not in world.errors
        return quiet / (world.ended_at - start)


def _traced() -> int:
    """Bytes of objects that code of fastmux made and that are still there."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, _SOURCES)])
    return sum(statistic.size for statistic in snapshot.statistics("filename"))


def check(attack: Attack) -> None:
    """The reaction is the one that is expected, what stays is bounded, and others go on as before."""
    run = Run(attack)
    alone = run.alone()
    assert alone.code == attack.code
    assert alone.growth.total <= attack.growth
    assert run.beside() >= LEAST_SHARE
