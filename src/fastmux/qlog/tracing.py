"""Who records what: from `qlog=` or $QLOGDIR to an observer of each connection.

Owns: the variable, the names of files. May not know: what is recorded.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fastmux._version import __version__
from fastmux.protocol.observer import Observer, ObserverFactory, Subject

if TYPE_CHECKING:
    from fastmux.qlog.directory import QlogDirectory

VARIABLE = "QLOGDIR"


def observer_factory(
    path: str | os.PathLike[str] | None, environment: Mapping[str, str] = os.environ
) -> ObserverFactory | None:
    """What records connections in the directory `path`, or in $QLOGDIR; None if neither is given."""
    if path is None:
        path = environment.get(VARIABLE) or None
    if path is None:
        return None
    from fastmux.qlog.directory import directory_for

    return recorder(directory_for(path))


def recorder(directory: QlogDirectory, wall_clock: Callable[[], float] = time.time) -> ObserverFactory:
    """What records connections in `directory`; `wall_clock` gives seconds since 1970."""
    from fastmux.qlog import lines  # who records nothing, as `fastmux connect`, need not load any of it
    from fastmux.qlog.trace import Trace
    from fastmux.qlog.trace_file import TraceFile

    def observe(subject: Subject) -> Observer | None:
        if not directory.is_open:
            return None
        role = "client" if subject.is_client else "server"
        group_id = subject.first_id.hex()
        first_record = lines.header(
            role=role,
            group_id=group_id,
            reference_time=wall_clock() * 1000,
            title=f"fastmux {role} {group_id}",
            generator=f"fastmux {__version__}",
        )
        # two ends in one process share the first id; the local id tells connections of a forger apart
        name = f"{group_id}_{role}_{subject.local_id.hex()}.sqlog"
        return Trace(subject, TraceFile(directory, name, first_record))

    return observe
