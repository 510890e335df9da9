"""Tests of this room need both cores."""

from __future__ import annotations

import pytest

from twins.twins import cores


@pytest.fixture(autouse=True, scope="session")
def both_cores() -> None:
    """Skips where there is no compiled core, or fails where it is required."""
    cores()
