"""Runs a seed or a schedule, and sees that nothing of it is left.

Owns: which kind of run a schedule needs, and the count of what lives. May not know: what happens in a run.
"""

from __future__ import annotations

import gc

from fastmux import core
from sim.hostile import HostileSimulation
from sim.model import Wrong
from sim.schedule import Schedule
from sim.simulation import Outcome, Simulation
from sim.swarm import expand


def run_seed(seed: int, *, is_basic: bool = False) -> Outcome:
    """Run one seed. Raises what is wrong with it; afterwards nothing of it is left."""
    return run_schedule(expand(seed, is_basic=is_basic))


def run_schedule(schedule: Schedule) -> Outcome:
    """Run a schedule. Raises what is wrong with it; afterwards nothing of it is left."""
    if core.live() != (0, 0):
        gc.collect()  # what somebody else left is not this run's
    kind = Simulation if schedule.hostility is None else HostileSimulation
    outcome = kind(schedule).run()
    if core.live() != (0, 0):
        gc.collect()
    if core.live() != (0, 0):
        raise Wrong(f"left over: {core.live()} (bytes, objects)")
    return outcome
