"""What happens to datagrams on their way in one seed.

Owns: which faults are on and how bad they are (a swarm: each is on with p = 1/2, at a drawn rate). May not
know: what is carried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log
from random import Random
from typing import Final

from network.conditions import Conditions

GENTLE_SHARE: Final = 0.1  # of the seeds: nothing is lost, so that everything has to arrive
MAX_LOSS: Final = 0.3
MAX_REORDERING: Final = 0.5
MAX_DUPLICATION: Final = 0.2
MAX_DAMAGE: Final = 0.02
MAX_DARK_TIME: Final = 5.0
GENTLE_DELAY: Final = 0.2  # seconds: beyond it an end may take for lost what is only slow
_CALM = Conditions()
_FAULTS: Final = (  # fields of which a value other than the default is a fault
    *("jitter", "loss", "reordering", "duplication", "damage", "rate", "dark", "coalescing"),
    *("burst_start", "replay", "clogged"),
)


@dataclass(frozen=True, slots=True)
class Faults:
    """Conditions of both directions."""

    to_server: Conditions
    to_client: Conditions

    @property
    def is_gentle(self) -> bool:
        """True if every datagram that the path can carry arrives, and none overtakes another."""
        return all(_is_gentle(conditions) for conditions in (self.to_server, self.to_client))

    @property
    def count(self) -> int:
        """How many faults are on, each direction by itself."""
        ways = (self.to_server, self.to_client)
        on = [name for way in ways for name in _FAULTS if getattr(way, name) != getattr(_CALM, name)]
        return len(on) + sum(len(way.mtu) - 1 for way in ways)

    def calm(self) -> Faults:
        """The same path without faults: its delay, rate and MTU remain."""
        return Faults(_calm(self.to_server), _calm(self.to_client))


def log_uniform(random: Random, low: float, high: float) -> float:
    """Draw from [low, high], every order of magnitude as likely."""
    return exp(random.uniform(log(low), log(high)))


def draw_faults(random: Random, start: float, min_rate: float, mtu: int) -> Faults:
    """Draw the faults of a run that begins at `start` and needs `min_rate` bytes a second.

    `mtu` is the largest datagram that the path carries at first.
    """
    kinds = ("loss", "reordering", "duplication", "damage", "dark", "mtu", "jitter", "rate")
    on = {kind for kind in kinds if random.random() < 0.5}
    if random.random() < GENTLE_SHARE:
        on &= {"duplication", "jitter"}
    delay = log_uniform(random, 0.0005, 0.15)
    mtus: tuple[tuple[float, int], ...] = ((0.0, mtu),)
    if "mtu" in on:
        first = start + log_uniform(random, 0.02, 4.0)
        second = first + log_uniform(random, 0.05, 4.0)
        mtus += ((first, 1280), (second, 1200))
    dark: tuple[tuple[float, float], ...] = ()
    if "dark" in on:
        for _ in range(random.randint(1, 2)):
            dark_at = start + log_uniform(random, 0.01, 6.0)
            dark += ((dark_at, dark_at + random.uniform(0.1, MAX_DARK_TIME)),)
    both_dark = random.random() < 0.5
    directions = []
    for index in range(2):
        directions.append(
            Conditions(
                delay=delay,
                jitter=random.uniform(0, 0.05) if "jitter" in on else 0.0,
                loss=random.uniform(0, MAX_LOSS) if "loss" in on else 0.0,
                reordering=random.uniform(0, MAX_REORDERING) if "reordering" in on else 0.0,
                reordering_delay=log_uniform(random, 0.001, 0.2),
                duplication=random.uniform(0, MAX_DUPLICATION) if "duplication" in on else 0.0,
                damage=random.uniform(0, MAX_DAMAGE) if "damage" in on else 0.0,
                rate=log_uniform(random, min_rate, 100 * min_rate) if "rate" in on else None,
                queue_size=int(log_uniform(random, 16384, 1 << 20)),
                mtu=mtus,
                dark=dark if both_dark or index == 0 else (),
            )
        )
    return Faults(*directions)


def _is_gentle(conditions: Conditions) -> bool:
    faults = [name for name in _FAULTS if name not in ("jitter", "duplication", "replay", "coalescing")]
    is_plain = all(getattr(conditions, name) == getattr(_CALM, name) for name in faults)
    return is_plain and len(conditions.mtu) == 1 and conditions.delay <= GENTLE_DELAY


def _calm(conditions: Conditions) -> Conditions:
    settings = {name: getattr(_CALM, name) for name in _FAULTS if name != "rate"}
    delay = min(conditions.delay, GENTLE_DELAY)
    return replace(conditions, **settings, delay=delay, queue_size=1 << 20)
