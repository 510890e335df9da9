"""Every attack there is.

Owns: their order. May not know: any of them.
"""

from __future__ import annotations

from hostile import before_authentication, fragments, packets, streams
from hostile.attacker import Attack

ATTACKS: tuple[Attack, ...] = (
    *before_authentication.ATTACKS,
    *packets.ATTACKS,
    *streams.ATTACKS,
    *fragments.ATTACKS,
)


def attacks_of(row: str) -> tuple[Attack, ...]:
    """Those of one row of the table of hostile inputs."""
    return tuple(attack for attack in ATTACKS if attack.row == row)
