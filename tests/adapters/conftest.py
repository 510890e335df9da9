"""Fixtures of this room."""

from __future__ import annotations

import asyncio

import pytest

from adapters.ends import LoopFactory


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> LoopFactory:
    """The event loops on which libraries run."""
    if request.param == "asyncio":
        return asyncio.SelectorEventLoop
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    factory: LoopFactory = uvloop.new_event_loop
    return factory
