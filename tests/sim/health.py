"""Looks at both ends from time to time: figures that must hold at any moment.

Owns: the checks I4, I6, I16 and I18 of docs/simulation.md, by public figures only, and how often they are
made. May not know: the wire (`witness.py`), what is delivered (`model.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ClosedResourceError
from sim.allowance import require
from sim.clockwork import Clockwork
from sim.side import Side
from sim.witness import Witness

SCAN_INTERVAL: Final = 1024  # steps
LOOK_INTERVAL: Final = 16
CLOSED_SIZE: Final = 2048  # bytes of the core that a closed connection may keep


class Health:
    """Invariant: `_flight` has for each end what was in flight at the last look."""

    def __init__(self, world: Clockwork, sides: Sequence[Side], witness: Witness) -> None:
        self._world = world
        self._sides = sides
        self._witness = witness
        self._steps = 0

    def step(self) -> None:
        """Once a step of the network: a look now and then, sometimes at everything."""
        self._steps += 1
        if self._steps % LOOK_INTERVAL == 0:
            for side in self._sides:
                self._look(side)
        if self._steps % SCAN_INTERVAL == 0:
            self.scan()

    def scan(self) -> None:
        """Everything."""
        for side in self._sides:
            connection = side.connection
            if connection is None:
                continue
            figures = connection.statistics()
            text = f"end {side.role}: {figures}"
            require(figures.rtt > 0 and figures.min_rtt >= 0 and figures.rttvar >= 0, f"I16: {text}")
            require(0 < figures.pto <= c.MAX_PTO, f"I16: {text}")
            require(0 <= figures.held_size <= side.held_limit, f"I6: {text}")
            lost, acked = figures.packets_lost, figures.packets_acked
            require(lost + acked <= figures.packets_sent, f"I12: {text}")
            self._witness.check_received(side.role, figures.packets_received)

    def _look(self, side: Side) -> None:
        """What costs little."""
        connection = side.connection
        if connection is None or connection.is_closed:
            return
        try:
            in_flight = connection.data_path.bytes_in_flight
            held_size = connection.data_path.held_size
        except ClosedResourceError:
            return
        require(in_flight >= 0, f"I4: end {side.role} has {in_flight} bytes in flight")
        require(held_size <= side.held_limit, f"I6: end {side.role} holds {held_size} bytes")

    def check_closed(self) -> None:
        """I18: both ends are closed and their data given up: the core holds next to nothing."""
        self._witness.forget()
        size, _ = core.live()
        require(size <= CLOSED_SIZE * len(self._sides), f"I18: {size} bytes after the end")
