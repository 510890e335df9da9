"""How a status looks on a terminal.

Owns: columns, units and escaping: names and targets come from peers. May not know: where a status comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from fastmux.security.names import printable

_SIZES: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def size_text(size: float) -> str:
    """Bytes in the unit that keeps the number short."""
    for unit in _SIZES[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {_SIZES[-1]}"


def age_text(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = int(seconds)
    for size, name, smaller, small_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{name}{whole % size // smaller}{small_name}"
    return f"{whole}s"


def status_lines(status: dict[str, Any]) -> list[str]:
    """A status as lines of text."""
    lines = [_head(status)]
    lines += [f"  {printable(each)}" for each in status.get("forwards", ())]
    lines += _table("connections", _CONNECTION, status["connections"], status.get("connections_left_out", 0))
    lines += _table("channels", _CHANNEL, status["channels"], status["channels_left_out"])
    lines += _table("identities", _IDENTITY, status["identities"], 0)
    return lines


def _head(status: dict[str, Any]) -> str:
    parts = [f"{status['role']} {status['version']}, pid {status['pid']}, up {age_text(status['uptime'])}"]
    parts.append(f"state {status['state']}")
    if status.get("listening"):
        parts.append("on " + ", ".join(status["listening"]))
    if status.get("workers"):
        parts.append(f"{status['workers']} workers")
    if status.get("reconnects"):
        parts.append(f"{status['reconnects']} reconnects")
    if status.get("last_error") and status["state"] != "open":
        parts.append(f"last error: {printable(status['last_error'])}")
    return "; ".join(parts)


_Column = tuple[str, Callable[[dict[str, Any]], str]]


def _milliseconds(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: f"{row[name] * 1e3:.2f} ms"


def _size(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: size_text(row[name])


def _text(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: printable(str(row[name]))


def _age(row: dict[str, Any]) -> str:
    return age_text(row["age"])


def _loss(row: dict[str, Any]) -> str:
    share = row["packets_lost"] / row["packets_sent"] if row["packets_sent"] else 0.0
    return f"{share:.2%}"


_CONNECTION: Final[tuple[_Column, ...]] = (
    ("identity", _text("identity")),
    ("peer", _text("peer")),
    ("age", _age),
    ("RTT", _milliseconds("rtt")),
    ("loss", _loss),
    ("window", _size("congestion_window")),
    ("received", _size("bytes_received")),
    ("sent", _size("bytes_sent")),
)
_CHANNEL: Final[tuple[_Column, ...]] = (
    ("id", _text("id")),
    ("identity", _text("identity")),
    ("kind", _text("kind")),
    ("target", _text("target")),
    ("age", _age),
    ("received", _size("received")),
    ("sent", _size("sent")),
)
_IDENTITY: Final[tuple[_Column, ...]] = (
    ("identity", _text("identity")),
    ("opened", _text("opened")),
    ("failed", _text("failed")),
    ("received", _size("received")),
    ("sent", _size("sent")),
)


def _table(title: str, columns: Sequence[_Column], rows: list[dict[str, Any]], left_out: int) -> list[str]:
    if not rows:
        return [f"no {title}"]
    cells = [[name for name, _ in columns], *([show(row) for _, show in columns] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    lines = [f"{len(rows) + left_out} {title}"]
    lines += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    if left_out:
        lines.append(f"  and {left_out} more")
    return lines
