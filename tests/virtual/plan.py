"""What happens in one seed of the stress: hosts, network, refusals, blocked loops, work, and the end.

Owns: the dice. May not know: how any of it is done. Each kind of trouble is on in half of the seeds, so that
every pair of kinds meets alone now and then. All trouble is over after CALM_AT seconds.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from random import Random
from typing import Final

from network.conditions import Conditions
from virtual.faults import Fault

CALM_AT: Final = 20.0
SIDES: Final = ("near", "far")
ENDINGS: Final = (
    *("client aborts", "server aborts", "client closes", "server closes", "client is cancelled"),
    *("client's socket is closed", "server's socket is closed", "client's descriptor is closed"),
)
_REFUSALS: Final = (
    *(errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.EMSGSIZE, errno.ECONNREFUSED, errno.ENETUNREACH),
    *(errno.EHOSTUNREACH, errno.EPERM, errno.EADDRNOTAVAIL, errno.EIO, errno.EINVAL, errno.EINTR),
)
_HEARD: Final = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EAGAIN, errno.EINTR)


@dataclass(frozen=True)
class HostPlan:
    """One machine: `blocks` and `jumps` are (when, how long) from the start."""

    has_gso: bool
    has_gro: bool
    watches: bool
    tick: float
    receive_limit: int
    faults: tuple[Fault, ...]
    blocks: tuple[tuple[float, float], ...]
    jumps: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Plan:
    """`streams` and `messages` are sizes in bytes; `ending`, if any, comes at `ends_at`."""

    conditions: Conditions
    hosts: dict[str, HostPlan]
    streams: tuple[tuple[float, int], ...]  # when it is opened, what it carries
    messages: tuple[int, ...]
    pause: float  # of the echoing end between two reads
    moves: tuple[float, ...]  # when the client takes a new socket
    ending: str
    ends_at: float


def draw(seed: int) -> Plan:
    """The plan of a seed: always the same."""
    random = Random(f"virtual {seed}")
    return Plan(
        conditions=_conditions(random),
        hosts={side: _host(random) for side in SIDES},
        streams=tuple(
            (random.choice((0.0, random.uniform(0.0, 10.0))), int(2 ** random.uniform(0.0, 17.5)))
            for _ in range(random.randint(1, 6))
        ),
        messages=tuple(int(2 ** random.uniform(0.0, 15.0)) for _ in range(random.choice((0, 0, 20)))),
        pause=random.choice((0.0, 0.0, random.uniform(0.0, 0.2))),
        moves=tuple(random.uniform(0.0, 10.0) for _ in range(random.choice((0, 0, 0, 1, 3)))),
        ending=random.choice((*ENDINGS, *[""] * len(ENDINGS))),
        ends_at=random.uniform(0.0, 8.0),
    )


def _conditions(random: Random) -> Conditions:
    def maybe(value: float) -> float:
        return value if random.random() < 0.5 else 0.0

    return Conditions(
        delay=random.choice((0.0001, 0.005, 0.05)),
        jitter=maybe(random.uniform(0.0, 0.02)),
        loss=maybe(random.uniform(0.0, 0.1)),
        reordering=maybe(random.uniform(0.0, 0.2)),
        duplication=maybe(random.uniform(0.0, 0.2)),
        damage=maybe(random.uniform(0.0, 0.05)),
        rate=random.choice((None, 100_000.0, 1_250_000.0)),
        queue_size=random.choice((20_000, 1_000_000)),
        mtu=((0.0, random.choice((1472, 1300, 9000))),),
    )


def _host(random: Random) -> HostPlan:
    def some(most: int) -> range:
        return range(random.randint(1, most) if random.random() < 0.5 else 0)

    return HostPlan(
        has_gso=random.random() < 0.7,
        has_gro=random.random() < 0.7,
        watches=random.random() < 0.8,
        tick=random.choice((0.0, 0.0, 1 / 64)),
        receive_limit=random.choice((1 << 22, 212_992, 32_768)),
        faults=tuple(_fault(random) for _ in some(4)),
        blocks=tuple((random.uniform(0.0, 12.0), 2 ** random.uniform(-7.0, 2.0)) for _ in some(5)),
        jumps=tuple((random.uniform(0.0, 12.0), 5.0 * random.random()) for _ in some(2)),
    )


def _fault(random: Random) -> Fault:
    start = random.uniform(0.0, 10.0)
    hears = random.random() < 0.2
    code = random.choice(_HEARD if hears else _REFUSALS)
    return Fault(
        code=code,
        call="receive" if hears else "send",
        start=start,
        stop=min(start + 2 ** random.uniform(-4.0, 3.0), CALM_AT),
        probability=random.choice((0.1, 0.5, 0.9 if code == errno.EINTR else 1.0)),
        min_size=random.choice((0, 1201, 1300)) if code == errno.EMSGSIZE else 0,
        trains_only=code in (errno.EIO, errno.EINVAL) and random.random() < 0.7,
        pause=random.choice((0.0005, 0.05, 1.0)),
    )
