"""Sets of ports, as a rule writes them: `22`, `80,443`, `2200-2299`, `*`.

Owns: their grammar and what they hold. May not know: hosts, protocols.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fastmux.security.names import printable
from fastmux.tunnel.constants import MAX_PORT_RANGES

MAX_PORT: Final = 65535
_FIRST_UNPRIVILEGED: Final = 1024
_RANGE: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)


def parse_port(text: str, *, minimum: int = 0) -> int:
    """Return a port of `minimum` to 65535 in decimal digits. Raises ValueError."""
    if not _PORT.fullmatch(text) or not minimum <= int(text) <= MAX_PORT:
        raise ValueError(f"{printable(text)!r} is not a port: a number from {minimum} to {MAX_PORT}")
    return int(text)


@dataclass(frozen=True, slots=True)
class PortSet:
    """Some of the ports 1 to 65535.

    Invariant: `ranges` holds (first, last) pairs, both inclusive as they are written, in rising order, with
    a gap between each and the next.
    """

    ranges: tuple[tuple[int, int], ...]

    def __contains__(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self.ranges)

    def __str__(self) -> str:
        if self.ranges == ((1, MAX_PORT),):
            return "*"
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in self.ranges)

    @property
    def covers_any_port(self) -> bool:
        """True if it holds every port that a system may choose by itself when it is asked for any."""
        return any(first <= _FIRST_UNPRIVILEGED and last == MAX_PORT for first, last in self.ranges)


ALL_PORTS: Final = PortSet(((1, MAX_PORT),))


def parse_ports(text: str) -> PortSet:
    """Parse a list of ports and ranges (both ends included), or `*`. Raises ValueError."""
    if text == "*":
        return ALL_PORTS
    parts = text.split(",")
    if len(parts) > MAX_PORT_RANGES:
        raise ValueError(f"more than {MAX_PORT_RANGES} ports and ranges in one rule: write several rules")
    merged: list[tuple[int, int]] = []
    for first, last in sorted(_parse_range(part, text) for part in parts):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return PortSet(tuple(merged))


def _parse_range(part: str, text: str) -> tuple[int, int]:
    found = _RANGE.fullmatch(part)
    if not found:
        raise ValueError(f"{printable(text)!r} is not a list of ports, as 22 or 80,443 or 2200-2299 or *")
    first = int(found[1])
    last = int(found[2] or first)
    if not 1 <= first <= last <= MAX_PORT:
        raise ValueError(f"{part} is not a port or range of ports within 1 to {MAX_PORT}")
    return first, last
