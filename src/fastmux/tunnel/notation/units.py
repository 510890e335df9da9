"""Rates and times, as people write them: `10M`, `100Mbit`, `30s`, `1h30m`.

Owns: their grammar. May not know: what they are for.
"""

from __future__ import annotations

import re
from typing import Final

from fastmux.security.names import printable

_SCALES: Final = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
}
_NUMBER: Final = r"([0-9]{1,12}(?:\.[0-9]{1,6})?)"
_RATE: Final = re.compile(_NUMBER + r"([kmg]i?)?(bit|b)?(?:/s)?", re.ASCII | re.IGNORECASE)
_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART: Final = re.compile(_NUMBER + "(ms|s|m|h|d)", re.ASCII)
_DURATION: Final = re.compile(rf"(?:{_PART.pattern}){{1,5}}", re.ASCII)
_PLAIN: Final = re.compile(_NUMBER, re.ASCII)
_MAX_RATE: Final = 10**12  # bytes a second, above what any path carries
_MAX_DURATION: Final = 10 * 365 * 86400


def parse_rate(text: str) -> int:
    """Return bytes a second: `10M` is 10,000,000 of them, `10Mi` 10,485,760, `100Mbit` 12,500,000.

    Raises ValueError for anything else, below 1 or above 10^12.
    """
    found = _RATE.fullmatch(text)
    if not found:
        raise ValueError(
            f"{printable(text)!r} is not a rate: bytes a second as 500k, 10M or 1Gi, or bits as 100Mbit"
        )
    rate = float(found[1]) * _SCALES[(found[2] or "").lower()]
    if (found[3] or "").lower() == "bit":
        rate /= 8
    if not 1 <= rate <= _MAX_RATE:
        raise ValueError(
            f"{printable(text)!r} is not between 1 byte and 1000 GB a second; leave it out for none"
        )
    return int(rate)


def parse_duration(text: str) -> float:
    """Return seconds: `250ms`, `30s` or `30`, `5m`, `1h30m`, `2d`.

    Raises ValueError for anything else, for 0 and for more than ten years.
    """
    if _PLAIN.fullmatch(text):
        text += "s"
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{printable(text)!r} is not a time: numbers with ms, s, m, h or d, as 30s or 1h30m")
    seconds = float(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))
    if not 0 < seconds <= _MAX_DURATION:
        raise ValueError(f"{printable(text)!r} is not a time above zero and within ten years")
    return seconds
