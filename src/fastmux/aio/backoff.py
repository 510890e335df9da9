"""How long to wait before connecting again: exponential, with full jitter.

Owns: the delays. May not know: what is connected, or why it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_GROWTH: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Delays of reconnecting, in seconds.

    The wait before the nth attempt in a row is drawn evenly from 0 to `initial` · 2ⁿ⁻¹, or to `maximum` if
    that is less (full jitter), so that the clients of a server that comes back do not all connect at once.
    After a connection that lasted for `stable` seconds the counting begins anew.

    Raises `ValueError` for times that are not positive, or a maximum below the initial one.
    """

    initial: float = 0.5
    maximum: float = 30.0
    stable: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.initial <= self.maximum or self.stable <= 0:
            raise ValueError("a backoff needs 0 < initial <= maximum and stable > 0")

    def delays(self, draw: Callable[[float, float], float]) -> Iterator[float]:
        """The delays of attempts that follow each other; `draw(a, b)` gives a number between."""
        limit = self.initial
        while True:
            yield draw(0.0, limit)
            limit = min(limit * _GROWTH, self.maximum)
