"""The targets: what an input means, on any core, and what it must come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from types import ModuleType
from typing import Any

from fuzz.targets import connection, drawn, fragments, frames, handshake, headers, ledger, strays, stream


@dataclass(frozen=True, slots=True)
class Target:
    """One target. `is_native`: its loop is in C. `signature` makes of a result what may be new about it.

    `draw` makes an input by rule, where single bytes would seldom do. `corpus` is whose inputs it shares.
    """

    number: str
    name: str
    seeds: Callable[[], list[bytes]]
    replay: Callable[[Any, bytes], Any]
    max_size: int  # of an input, bytes
    is_native: bool = False
    signature: Callable[[Any], object] | None = None
    draw: Callable[[Random], bytes] | None = None
    corpus: str | None = None
    is_of_core: bool = True  # False: it runs on the core that is chosen for the process


def _of(number: str, module: ModuleType, **more: Any) -> Target:
    name = module.__name__.rpartition(".")[2]
    return Target(number, name, module.seeds, module.replay, **more)


TARGETS = {
    target.name: target
    for target in (
        _of("T1", headers, max_size=400, is_native=True),
        _of("T2", frames, max_size=200, is_native=True),
        _of("T3", ledger, max_size=32, is_native=True),
        _of("T4", stream, max_size=60, is_native=True),
        _of("T5", fragments, max_size=49, is_native=True),
        _of("T6", connection, max_size=500, draw=drawn.session),
        Target(
            "T6",
            "packets",
            connection.seeds,
            connection.replay,
            max_size=500,
            is_native=True,
            draw=drawn.session,
            corpus="connection",
        ),
        _of("T7", handshake, max_size=200, signature=handshake.signature, is_of_core=False),
        _of("T8", strays, max_size=300, signature=strays.signature, is_of_core=False),
    )
}
