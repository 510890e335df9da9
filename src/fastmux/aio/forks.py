"""A child of fork has copies of its parent's connections: they end there at once, and nothing is sent.

Owns: which drivers there are, and that each is told. May not know: what a driver gives up. Both processes
would seal different packets under one key and number, and share one socket, else. The cores refuse by
themselves too (docs/core.md), so this only has to say it to whoever waits.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forsaking(Protocol):
    """What must not live on in a child."""

    def forsake(self) -> None:
        """Give up everything that is the parent's."""
        ...


_watched: WeakSet[Forsaking] = WeakSet()


def watch(owner: Forsaking) -> None:
    """Have `owner.forsake()` called in every child of fork, as long as it lives."""
    _watched.add(owner)


def _forsake_all() -> None:
    for owner in list(_watched):
        owner.forsake()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forsake_all)
