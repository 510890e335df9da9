"""Forks: what was made before one is the parent's, or both processes would seal under one key and number.

Owns: how many forks led to this process. May not know: what was made when.
"""

from __future__ import annotations

import os
from typing import Final

FORKED_TEXT: Final = (
    "this was made before the process was forked off: it stays with the parent, make it anew here"
)


class Forks:
    """Invariant: `count` is how many forks led from the process that loaded this to the present one."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._add)

    def _add(self) -> None:
        self.count += 1


forks: Final = Forks()
