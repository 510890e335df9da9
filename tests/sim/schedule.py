"""Everything that is drawn for one run, spelled out: a seed becomes one, the shrinker makes it smaller.

Owns: the parts of a schedule and its size. May not know: how they are drawn, how they are carried out.
"""

from __future__ import annotations

from dataclasses import dataclass

from network.attacker import Attack
from sim.faults import Faults
from sim.moves import Move
from sim.mutator import Hostility
from sim.plan import PATIENCE, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`seed` is the dice of the network and the names of what is carried; all else is said here.

    `uses_tls`: real certificates and OpenSSL's own dice, so that it does not replay bit for bit.
    """

    seed: int
    plan: Plan
    faults: Faults
    moves: tuple[Move, ...] = ()
    attacks: tuple[Attack, ...] = ()
    hostility: Hostility | None = None
    uses_tls: bool = False

    @property
    def is_lossless(self) -> bool:
        """True if everything that the path can carry arrives, in order, and nobody interferes."""
        return self.faults.is_gentle and not (self.moves or self.attacks or self.hostility)

    @property
    def may_fall_silent(self) -> bool:
        """True if a timeout of an end may come while there are faults."""
        configurations = [side.configuration for side in self.plan.sides]
        return any(
            timeout is not None and timeout < PATIENCE
            for configuration in configurations
            for timeout in (configuration.idle_timeout, configuration.handshake_timeout)
        )

    @property
    def size(self) -> int:
        """How many parts somebody has to read."""
        plan = self.plan
        sides = sum(len(side.datagrams) + len(side.pings) for side in plan.sides)
        strikes = () if self.hostility is None else self.hostility.strikes
        pieces = sum(len(writing.sizes) for channel in plan.channels for writing in channel.writing)
        parts = len(plan.channels) + sides + len(self.moves) + len(self.attacks) + len(strikes)
        return parts + pieces + self.faults.count
