"""A joined pair of data paths, closed after the test; what a core holds is zero then."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.pump import Pump


def settled(core: Any) -> Any:
    """What the core holds, without what only waits for the collector (a caught exception's frames)."""
    for _ in range(2):  # what the finalizers of the first pass let go is found by the second
        if core.live() != (0, 0):
            gc.collect()
    return core.live()


@pytest.fixture
def make_pump(core: Any) -> Iterator[Callable[..., Pump]]:
    """Makes pumps of the core; afterwards they are closed and the core holds nothing."""
    made: list[Pump] = []

    def make(**limits: Any) -> Pump:
        made.append(Pump(core, **limits))
        return made[-1]

    before = settled(core)
    yield make
    for pump in made:
        pump.close()
    made.clear()
    assert settled(core) == before


@pytest.fixture
def pump(make_pump: Callable[..., Pump]) -> Pump:
    """A pump with the usual limits."""
    return make_pump()
