"""What a scenario is, what it measures, and the formulas of the limits.

Owns: the forms and the arithmetic of docs/reliability.md. May not know: any single fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any, TypeVar

from fastmux.constants import MAX_PLPMTU
from fastmux.protocol.configuration import Configuration
from faults.load import Transfer
from faults.stage import DEFAULT, RTT, Broken, Setting, Stage

T = TypeVar("T")

MEGABYTE = 1_000_000
VOLUME = 1.15  # G5: what is sent beside the bytes themselves
VOLUME_SLACK = 65536


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a scenario is played: the controller of both ends, and whether in its quick form."""

    congestion: str = "cubic"
    quick: bool = False

    def pick(self, full: T, quick: T) -> T:
        """A number of the full or of the quick form."""
        return quick if self.quick else full

    def setting(self, **settings: Any) -> Setting:
        """The default setting with this controller and other settings of the ends."""
        return Setting(configuration=self.configuration(**settings))

    def configuration(self, **settings: Any) -> Configuration:
        """A configuration with this controller."""
        return replace(Configuration(congestion=self.congestion), **settings)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A measured figure beside its limit, which is the most or, `at_least`, the least that is allowed."""

    measured: float
    limit: float
    unit: str = "s"
    at_least: bool = False
    note: str = ""

    @property
    def is_ok(self) -> bool:
        """True if the limit is kept."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    def is_within(self, factor: float) -> bool:
        """True if the limit is missed by no more than this factor."""
        return self.measured * factor >= self.limit if self.at_least else self.measured <= self.limit * factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One line of the table. `play` raises `Broken` or `Stuck` where a rule for all scenarios is broken.

    `missed` says for which controllers the study's limit is known to be missed, and by what factor at most;
    `why` is the reason. Worse than that is a failure there too.
    """

    row: str
    title: str
    play: Callable[[Terms], Outcome]
    controllers: Sequence[str] = ("cubic",)
    missed: Mapping[str, float] = field(default_factory=dict)
    why: str = ""

    def judge(self, outcome: Outcome, congestion: str) -> str:
        """Say "ok", "missed" or "FAILED"."""
        if outcome.is_ok:
            return "ok"
        factor = self.missed.get(congestion)
        return "missed" if factor is not None and outcome.is_within(factor) else "FAILED"

    @property
    def name(self) -> str:
        """Row and title."""
        return f"{self.row} {self.title}"


BOTH = ("cubic", "bbr")


def ideal(size: int, rate: float, loss: float = 0.0, rtt: float = RTT, dark: float = 0.0) -> float:
    """The seconds that `size` bytes take at least, with 6 % for headers."""
    return 1.06 * size / (rate * (1 - loss)) + 3 * rtt + dark


def mathis(size: int, loss: float, rtt: float = RTT) -> float:
    """The seconds that a controller takes that halves at each loss (Mathis and others, 1997)."""
    return size / (1.22 * MAX_PLPMTU / (rtt * sqrt(loss))) if loss else 0.0


def allowed(terms: Terms, size: int, rate: float, loss: float = 0.0, rtt: float = RTT) -> float:
    """The study's limit: 1.5 T + 2 s. T is the ideal time, or Mathis's for a loss-based controller."""
    time = ideal(size, rate, loss, rtt)
    if terms.congestion != "bbr":
        time = max(time, mathis(size, loss, rtt))
    return 1.5 * time + 2.0


def rate_of(setting: Setting) -> float:
    """The rate of the way down, bytes a second."""
    return setting.down.conditions.rate or DEFAULT.rate or 0.0


def run_transfer(
    setting: Setting,
    sizes: Sequence[int],
    *,
    upload: bool = False,
    loss: float | None = 0.0,
    timeout: float = 900.0,
    prepare: Callable[[Stage, Transfer], None] = lambda stage, transfer: None,
) -> tuple[Stage, Transfer, float]:
    """Carry streams of these sizes; gives the seconds from the first packet to the last byte read.

    Checks the rules for all scenarios; the volume (G5) only where `loss`, that of the data's direction, is
    given.
    """
    stage = Stage(setting)
    transfer = Transfer(stage, sizes, upload=upload)
    prepare(stage, transfer)
    seconds = transfer.run(timeout)
    sent = sum(link.sent_size for link in [stage.up if upload else stage.down])
    if loss is not None and sent > VOLUME * transfer.size / (1 - loss) + VOLUME_SLACK:
        raise Broken(f"{sent} bytes were sent for {transfer.size}")
    held = transfer.sink.data_path.held_size
    if held:
        raise Broken(f"{held} bytes are still held")
    stage.check_open()
    return stage, transfer, seconds
