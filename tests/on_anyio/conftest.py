"""The event loops that anyio runs on. Without anyio this room is skipped."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from on_anyio.backends import Backend

collect_ignore_glob = [] if find_spec("anyio") else ["test_*.py"]


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each in turn."""
    from on_anyio.backends import Backend

    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return Backend(request.param)
