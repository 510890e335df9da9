"""What becomes of connections in a child of `os.fork`: they stay with the parent.

Owns: who is told in a child. May not know: what a driver does. A child that sent as well would use the
parent's packet numbers under the parent's keys, which gives the keys away; and the two share a selector.
"""

from __future__ import annotations

import os
from typing import Final, Protocol
from weakref import WeakSet


class Forsaking(Protocol):
    """A driver, or what stands for it."""

    def forsake(self) -> None:
        """Let go of everything without touching what the parent uses."""
        ...


_kept: Final[WeakSet[Forsaking]] = WeakSet()


def keep_from_children(driver: Forsaking) -> None:
    """Have `driver.forsake()` called in every child that this process forks from now on."""
    _kept.add(driver)


def _in_child() -> None:
    for driver in list(_kept):
        driver.forsake()
    _kept.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
