"""Fixtures of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from security.support import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh CA in a directory of its own."""
    return World.make(tmp_path)
