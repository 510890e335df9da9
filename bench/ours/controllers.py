"""Finds a congestion controller by its name.

Owns the search: `name` is a module of `fastmux.protocol.congestion`, the controller its class of that name.
Knows no connection.
"""

import importlib
from collections.abc import Callable
from typing import cast

from fastmux.protocol.congestion.base import CongestionController

Maker = Callable[[int], CongestionController]


def find_controller(name: str) -> Maker | None:
    """What `congestion=` of `connect` and `listen` takes for this name, None if fastmux has none of it."""
    try:
        module = importlib.import_module(f"fastmux.protocol.congestion.{name}")
    except ModuleNotFoundError:
        return None
    wanted = name.replace("_", "")
    for key, value in vars(module).items():
        if isinstance(value, type) and key.lower() == wanted:
            return cast(Maker, value)
    return None
