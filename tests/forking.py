"""A child of this process that runs a few assertions and is gone.

Owns: how it is made and what it says. May not know: what is tested. The child never returns to pytest: it
ends in `os._exit`, whatever happens.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

_TIME_LIMIT = 20  # seconds of a child


def in_child(run: Callable[[], object]) -> None:
    """Fork, call `run` in the child, and fail with its traceback if it raised there."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of 3.12: other threads, which the child lacks
        child = os.fork()
    if child == 0:
        _be_child(run, writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    assert (os.waitstatus_to_exitcode(status), said) == (0, "")


def _be_child(run: Callable[[], object], writing: int) -> None:
    code = 1
    try:
        if hasattr(signal, "alarm"):
            signal.alarm(_TIME_LIMIT)
        sys.unraisablehook = lambda unraisable: os._exit(3)
        run()
        code = 0
    except BaseException:
        os.write(writing, traceback.format_exc().encode())
    finally:
        os._exit(code)
