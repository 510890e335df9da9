"""Congestion controllers by name.

Owns: the names. May not know: what a controller does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from fastmux.protocol.congestion.base import CongestionController
from fastmux.protocol.congestion.bbr import Bbr
from fastmux.protocol.congestion.cubic import Cubic
from fastmux.protocol.congestion.loss_based import LossBasedController
from fastmux.protocol.congestion.new_reno import NewReno

_MAKERS: Final[dict[str, Callable[[int, Callable[[int], bytes]], CongestionController]]] = {
    "cubic": lambda size, random_bytes: Cubic(size),
    "newreno": lambda size, random_bytes: NewReno(size),
    "bbr": Bbr,
}
NAMES: Final = tuple(_MAKERS)


def make_controller(
    name: str, max_datagram_size: int, random_bytes: Callable[[int], bytes]
) -> CongestionController:
    """Make the controller of this name for a new path. Raises `KeyError` for any but those of `NAMES`."""
    return _MAKERS[name](max_datagram_size, random_bytes)


def ssthresh_of(controller: CongestionController) -> int | None:
    """Give the window at which slow start ends; None before the first congestion, and for bbr."""
    if not isinstance(controller, LossBasedController) or controller.ssthresh == math.inf:
        return None
    return int(controller.ssthresh)
