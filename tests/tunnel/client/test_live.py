"""The line on the terminal."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from typing import Any

import pytest

from aio.virtual_loop import virtual
from fastmux.tunnel.client import live

STATUS: dict[str, Any] = {
    "state": "open",
    "connections": [{"rtt": 0.0123}],
    "channels": [{}, {}],
    "channels_left_out": 1,
    "identities": [{"received": 3_000_000, "sent": 100}],
}
LATER: dict[str, Any] = STATUS | {"identities": [{"received": 5_000_000, "sent": 100}]}


def test_the_line_has_state_round_trip_channels_and_rates() -> None:
    assert live.status_text(STATUS, None, 0) == "open   RTT 12.3 ms   3 channels"
    text = live.status_text(LATER, STATUS, 2.0)
    assert text.endswith("received 1.0 MB/s   sent 0 B/s")
    assert (
        live.status_text({**STATUS, "state": "waiting", "connections": []}, None, 0) == "waiting   3 channels"
    )


def test_without_a_terminal_there_is_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not live.is_possible()


@virtual
async def test_it_is_shown_until_it_is_cancelled_and_the_log_goes_back_where_it_was() -> None:
    stream = io.StringIO()
    handler: logging.StreamHandler[Any] = logging.StreamHandler(stream)
    asked = 0

    async def ask() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return STATUS

    showing = asyncio.create_task(live.show(ask, handler))
    await asyncio.sleep(2.5)
    assert asked == 3
    showing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await showing
    assert handler.stream is stream
