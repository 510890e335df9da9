"""What failing to log in costs: each source pays for its own failures (H51).

Owns: how long an attempt waits. May not know: clocks, sockets and passwords; `now` is handed in.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from fastmux.tunnel import constants as c


@dataclass(slots=True)
class _Source:
    failures: int = 0
    failed_at: float = 0.0
    waiting: int = 0


class Attempts:
    """Counts failures by source address.

    Invariant: `_sources` holds at most MAX_FAILING_SOURCES, the one that failed or tried last at the end; an
    attempt between `begin` and `end` counts as a failure of its source, so that many at once do not slip by.
    """

    def __init__(self) -> None:
        self._sources: OrderedDict[str, _Source] = OrderedDict()

    def begin(self, source: str, now: float) -> float | None:
        """Start an attempt: the seconds it waits before it is checked, None if it is refused unchecked."""
        entry = self._sources.get(source)
        if entry is None:
            entry = self._sources[source] = _Source()
            if len(self._sources) > c.MAX_FAILING_SOURCES:
                self._sources.popitem(last=False)
        elif not entry.waiting and now - entry.failed_at > c.FAILURES_FORGOTTEN_AFTER:
            entry.failures = 0
        self._sources.move_to_end(source)
        pending = entry.failures + entry.waiting
        delay = min(max(0.0, float(pending - c.FREE_FAILURES + 1)), c.MAX_LOGIN_DELAY)
        if delay and entry.waiting >= c.MAX_LOGINS_AT_ONCE:
            return None
        entry.waiting += 1
        return delay

    def end(self, source: str, now: float, *, succeeded: bool) -> None:
        """An attempt that began was checked, or given up (which counts as a failure)."""
        entry = self._sources.get(source)
        if entry is None:
            return  # forgotten for newer ones
        entry.waiting -= 1
        if not succeeded:
            entry.failures += 1
            entry.failed_at = now
        elif not entry.failures and not entry.waiting:
            del self._sources[source]

    def __len__(self) -> int:
        return len(self._sources)
