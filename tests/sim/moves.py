"""How the client's addresses change in one seed: by a NAT that forgets, and on purpose.

Owns: the drawing of it, and how it is carried out. May not know: what is carried meanwhile. Drawn apart from
the plan, so that the other choices of a seed are what they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final

from fastmux.protocol.connection import Connection
from network import Network, Node
from sim.faults import log_uniform

MOVING_SHARE: Final = 0.5  # of the seeds in which anything may be lost


class Kind(Enum):
    """What changes, and who knows of it."""

    PORT = "the NAT takes another port"
    HOST = "the NAT takes another address"
    SOCKET = "the client migrates to another socket"


@dataclass(frozen=True, slots=True)
class Move:
    """One change, `after` seconds after the client opened. `keeps_old`: the old address leads here too."""

    after: float
    kind: Kind
    keeps_old: bool


def draw_moves(random: Random) -> tuple[Move, ...]:
    """Draw what happens, often nothing."""
    if random.random() >= MOVING_SHARE:
        return ()
    return tuple(
        Move(log_uniform(random, 0.01, 30.0), random.choice(tuple(Kind)), random.random() < 0.5)
        for _ in range(random.randint(1, 5))
    )


def carry_out(move: Move, number: int, network: Network, client: Node, connection: Connection) -> None:
    """Let it happen now."""
    host = f"10.{7 + number}.0.1"
    if move.kind is not Kind.SOCKET:
        address = None if move.kind is Kind.PORT else (host, 4433)
        network.rebind(client, address, keeps_old=move.keeps_old)
    elif connection.is_open:
        connection.migrate(network.add_local_path(client, (host, 4433)), network.now)
