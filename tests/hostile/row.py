"""What a row of the table of hostile inputs says.

Owns: its form. May not know: any row, any attack.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of hostile input.

    `reaction` uses DROP (ignored and counted), GLITCH (a useless packet, of which some are forgiven),
    RETRY, and CLOSE(CODE) of `fastmux.constants`. `limits` are names there. `shown` and `good` are tests by
    path inside tests/: of the reaction and the limit, and of good traffic at ten times the usual rate or
    size. `reason` says why it is so where others do otherwise.
    """

    id: str
    input: str
    reaction: str
    limits: tuple[str, ...]
    shown: tuple[str, ...]
    good: tuple[str, ...]
    reason: str = ""
