"""One line on the terminal that shows how a tunnel is: state, round trip, channels, bytes a second.

Owns: that line. May not know: connections: it asks for a status. Needs rich (the extra `rich`); without it,
or where standard error is no terminal, there are only the lines of the log.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastmux.tunnel.control.render import size_text

_INTERVAL: Final = 1.0  # seconds between two looks


def is_possible() -> bool:
    """Whether there is a terminal, and rich."""
    return sys.stderr.isatty() and importlib.util.find_spec("rich") is not None


def status_text(status: dict[str, Any], former: dict[str, Any] | None, seconds: float) -> str:
    """The line for a status, with rates since the `former` one, `seconds` ago."""
    parts = [status["state"]]
    parts += [f"RTT {connection['rtt'] * 1e3:.1f} ms" for connection in status["connections"]]
    parts.append(f"{len(status['channels']) + status['channels_left_out']} channels")
    if former is not None and seconds > 0:
        for name in ("received", "sent"):
            now, before = (sum(each[name] for each in every["identities"]) for every in (status, former))
            parts.append(f"{name} {size_text(max(0, now - before) / seconds)}/s")
    return "   ".join(parts)


async def show(ask: Callable[[], Awaitable[dict[str, Any]]], handler: logging.StreamHandler[Any]) -> None:
    """Show the line until cancelled; lines of the log, by `handler`, go above it."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    loop = asyncio.get_running_loop()
    former: dict[str, Any] | None = None
    asked_at = loop.time()
    with Live(Text(""), console=Console(stderr=True), transient=True, auto_refresh=False) as live:
        stream = handler.setStream(sys.stderr)  # which rich has replaced by its own
        try:
            while True:
                status = await ask()
                now = loop.time()
                live.update(Text(status_text(status, former, now - asked_at), no_wrap=True), refresh=True)
                former, asked_at = status, now
                await asyncio.sleep(_INTERVAL)
        finally:
            if stream is not None:
                handler.setStream(stream)
