"""The same call on both cores: the same value, or the same error with the same code.

Owns: pairs of objects, one of each core, that are only touched together. May not know: what is tested.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from conftest import load_core
from fastmux.exceptions import (
    BrokenResourceError,
    ChannelReset,
    ClosedResourceError,
    ProtocolError,
    WouldBlock,
)

Outcome = tuple[str, Any]


def cores() -> tuple[Any, Any]:
    """The compiled and the pure core; skips where there is only one."""
    return load_core("cython"), load_core("python")


def outcome(call: Callable[..., Any], *args: Any) -> Outcome:
    """What a call comes to: ("value", …) or the name of its error with the code."""
    try:
        return "value", call(*args)
    except ProtocolError as error:
        return "ProtocolError", (error.code, error.reason)
    except ChannelReset as error:
        return "ChannelReset", error.code
    except (ClosedResourceError, BrokenResourceError, WouldBlock) as error:
        return type(error).__name__, None
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, BufferError) as error:
        return type(error).__name__, None


class Twins:
    """Two objects of the same class, one of each core."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.objects = [make(core) for core in cores()]

    def call(self, name: str, *args: Any) -> Outcome:
        """Calls the method on both; AssertionError unless they agree."""
        compiled, pure = (outcome(getattr(item, name), *args) for item in self.objects)
        assert compiled == pure, f"{name}{args}: compiled {compiled}, pure {pure}"
        return compiled

    def value(self, name: str, *args: Any) -> Any:
        """As `call`, where an error is a failure."""
        kind, value = self.call(name, *args)
        assert kind == "value", (name, args, kind, value)
        return value

    def get(self, name: str) -> Any:
        """The property of both; AssertionError unless they agree."""
        compiled, pure = (getattr(item, name) for item in self.objects)
        assert compiled == pure, f"{name}: compiled {compiled}, pure {pure}"
        return compiled


def both(name: str, *args: Any) -> Outcome:
    """Calls a function of both cores; AssertionError unless they agree."""
    compiled, pure = (outcome(getattr(core, name), *args) for core in cores())
    assert compiled == pure, f"{name}{args}: compiled {compiled}, pure {pure}"
    return compiled


def octets(size: int) -> bytes:
    """The same bytes for the same size."""
    return random.Random(size).randbytes(size)


needs_both = pytest.mark.usefixtures("both_cores")
