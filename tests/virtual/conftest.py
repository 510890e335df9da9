"""Fixtures of this room: the real event loops, for the few tests with real sockets."""

from __future__ import annotations

from aio.conftest import loop_factory

__all__ = ["loop_factory"]
