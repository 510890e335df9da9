"""What a data path says it holds, against the formula, and against the memory of the compiled core.

Owns: the comparison. May not know: how a path came to hold anything.
"""

from __future__ import annotations

from typing import Any

from fastmux.protocol.budget import budget_of
from fastmux.protocol.configuration import Configuration
from fastmux.records import Charges

# Of the compiled core, for one path: its record, keys, empty arrays, and room that arrays have ahead.
BASE = 32_768
_OF_APPLICATION = ("unsent",)


class Uncounted(AssertionError):
    """A part beyond its limit, or memory that no charge covers."""


def check_path(core: Any, path: Any, configuration: Configuration, before: tuple[int, int]) -> Charges:
    """Raises `Uncounted`; gives the charges. `before` is `core.live()` before this path was made."""
    charges: Charges = path.charges()
    most = budget_of(configuration, own_channels=path.channel_count).core
    for name, size, limit in zip(Charges._fields, charges, most, strict=True):
        if size < 0 or (size > limit and name not in _OF_APPLICATION):
            raise Uncounted(f"{name}: {size} bytes, of {limit}")
    if core.IMPLEMENTATION == "cython":
        held = core.live()[0] - before[0]
        if held > charges.total + BASE:
            raise Uncounted(f"{held} bytes are held, and {charges} are charged, {charges.total} in all")
    return charges
