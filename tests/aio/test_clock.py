"""Connections go by the loop's clock where it is another than the system's, and else by the system's."""

from __future__ import annotations

import asyncio
import time

import pytest

from aio.conftest import LoopFactory
from aio.virtual_loop import VirtualLoop
from fastmux.aio.clock import clock_of


def test_a_loop_of_asyncio_or_uvloop_has_the_clock_of_the_system(loop_factory: LoopFactory) -> None:
    loop = loop_factory()
    assert clock_of(loop) is time.monotonic
    loop.close()


def test_a_loop_with_a_time_of_its_own_is_followed() -> None:
    loop = VirtualLoop()
    assert clock_of(loop)() == loop.time() == 0.0
    loop.close()


def test_a_subclass_that_leaves_the_time_alone_changes_nothing() -> None:
    class Loop(asyncio.SelectorEventLoop):
        pass

    loop = Loop()
    assert clock_of(loop) is time.monotonic
    loop.close()


@pytest.mark.parametrize("stranger", [None, object()])
def test_what_is_no_loop_of_asyncio_has_the_clock_of_the_system(stranger: object) -> None:
    assert clock_of(stranger) is time.monotonic
