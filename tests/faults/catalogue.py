"""All scenarios, in the order of the table.

Owns: the order. May not know: what they do.
"""

from __future__ import annotations

from collections.abc import Iterator

from faults import addresses, damage, darkness, handshakes, interop, limits, loss, rates, sizes
from faults.scenario import Scenario

_ROOMS = (loss, handshakes, damage, rates, darkness, addresses, sizes, limits)


def rows() -> list[Scenario]:
    """The fault table, F1 to F44."""
    scenarios = [scenario for room in _ROOMS for scenario in room.SCENARIOS]
    return sorted(scenarios, key=lambda scenario: int(scenario.row[1:]))


def cases() -> list[Scenario]:
    """The cases of quic-interop-runner."""
    return interop.SCENARIOS


def everything() -> Iterator[tuple[Scenario, str]]:
    """Every scenario with every controller that it is for."""
    for scenario in (*rows(), *cases()):
        for congestion in scenario.controllers:
            yield scenario, congestion
