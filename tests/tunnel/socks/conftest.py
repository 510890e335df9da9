"""Fixtures of this room."""

from __future__ import annotations

from aio.conftest import loop_factory

__all__ = ["loop_factory"]
