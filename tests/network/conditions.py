"""What one direction of a path does to datagrams.

Owns: the settings. May not know: how they are applied.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Times in seconds, sizes in bytes, `loss`, `reordering`, `duplication` and `damage` are probabilities.

    `jitter` is the most that is added to `delay`, evenly drawn, without overtaking; a reordered datagram
    is held back by up to `reordering_delay` and may be overtaken. `rate` (bytes a second) serialises
    datagrams and lets them queue; what finds more than `queue_size` waiting is dropped. `mtu` may change:
    `(from, size)` pairs by time, the first from the start. Nothing passes in a dark period (`(start, stop)`).
    Bit n of `loss_mask` loses the nth datagram of this direction. With `coalescing` datagrams arrive only at
    multiples of so many seconds, together, as a network card hands them over.

    Bursts (Gilbert and Elliott): before each datagram the direction turns bad with probability
    `burst_start`, good again with `burst_stop` or after two seconds; while it is bad `burst_loss` of the
    datagrams are lost. A copy of `replay` of them comes again up to `replay_delay` later, every order of
    magnitude as likely. In a `clogged` period everything waits until it is over.
    """

    delay: float = 0.01
    jitter: float = 0.0
    loss: float = 0.0
    reordering: float = 0.0
    reordering_delay: float = 0.05
    duplication: float = 0.0
    damage: float = 0.0
    rate: float | None = None
    queue_size: int = 1 << 20
    mtu: tuple[tuple[float, int], ...] = ((0.0, 65507),)
    dark: tuple[tuple[float, float], ...] = ()
    loss_mask: int = 0
    coalescing: float = 0.0
    burst_start: float = 0.0
    burst_stop: float = 1.0
    burst_loss: float = 1.0
    replay: float = 0.0
    replay_delay: float = 60.0
    clogged: tuple[tuple[float, float], ...] = ()

    def mtu_at(self, now: float) -> int:
        """The largest datagram that passes now."""
        return [size for start, size in self.mtu if start <= now][-1]

    def is_dark(self, now: float) -> bool:
        """True if nothing passes now."""
        return any(start <= now < stop for start, stop in self.dark)

    def unclogged_at(self, now: float) -> float:
        """When a datagram that leaves now gets through."""
        return max((stop for start, stop in self.clogged if start <= now < stop), default=now)
