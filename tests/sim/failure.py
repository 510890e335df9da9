"""Whether two runs fail in the same way, and what a schedule fails with.

Owns: what makes a failure the same. May not know: how schedules are made smaller.
"""

from __future__ import annotations

import gc
import re
import traceback
from collections.abc import Callable

from sim.runs import run_schedule
from sim.schedule import Schedule

_NUMBERS = re.compile(r"0x[0-9a-f]+|[0-9.]+")
_HELPERS = ("require",)
_KEPT_WORDS = 6


def failure_of(schedule: Schedule) -> str | None:
    """Run it: None if it passes, else a text that is the same for failures of one kind."""
    try:
        run_schedule(schedule)
    except Exception as error:
        return _kind_of(error)
    finally:
        gc.collect()  # what a failed run leaves must not be the next one's
    return None


def fails_as(kind: str) -> Callable[[Schedule], bool]:
    """Make the question of whether a schedule fails in this way."""
    return lambda schedule: failure_of(schedule) == kind


def _kind_of(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name not in _HELPERS]
    words = _NUMBERS.sub("#", str(error)).split()[:_KEPT_WORDS]
    return f"{type(error).__name__} in {frames[-1].name}: {' '.join(words)}"
