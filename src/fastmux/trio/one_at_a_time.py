"""For operations that one task may do at a time.

Owns: noticing the second. May not know: what they do.
"""

from __future__ import annotations

from types import TracebackType

import trio


class OneAtATime:
    """A block that raises trio's `BusyResourceError` while another task is in it.

    Invariant: `_is_taken` is True while a task is in the block.
    """

    __slots__ = ("_is_taken", "_what")

    def __init__(self, what: str) -> None:
        """`what` goes on with "another task is already …"."""
        self._what = what
        self._is_taken = False

    def __enter__(self) -> None:
        if self._is_taken:
            raise trio.BusyResourceError(f"another task is already {self._what}")
        self._is_taken = True

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_taken = False
