"""A joined pair of data paths, closed after the test; what a core holds is zero then."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.pump import Pump


@pytest.fixture
def make_pump(core: Any) -> Iterator[Callable[..., Pump]]:
    """Makes pumps of the core; afterwards they are closed and the core holds nothing."""
    made: list[Pump] = []

    def make(**limits: Any) -> Pump:
        made.append(Pump(core, **limits))
        return made[-1]

    gc.collect()
    before = core.live()
    yield make
    for pump in made:
        pump.close()
    made.clear()
    gc.collect()  # a caught exception may still hold a frame of the test
    assert core.live() == before


@pytest.fixture
def pump(make_pump: Callable[..., Pump]) -> Pump:
    """A pump with the usual limits."""
    return make_pump()
