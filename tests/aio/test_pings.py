"""Pings measure the round trip, and hear of the connection's end."""

from __future__ import annotations

import asyncio

import pytest

from aio.link import Link
from aio.pair import pair
from aio.virtual_loop import settle, virtual
from fastmux.exceptions import (
    ConnectionClosed,
)


@virtual
async def test_a_ping_measures_the_round_trip() -> None:
    async with pair(link=Link(delay=0.05)) as ends:
        assert await ends.client.ping() == pytest.approx(0.1, abs=0.01)
        assert await asyncio.gather(*(ends.server.ping() for _ in range(5))) == pytest.approx(
            [0.1] * 5, abs=0.03
        )


@virtual
async def test_a_ping_under_way_hears_of_the_end() -> None:
    async with pair(link=Link(delay=1)) as ends:
        ping = asyncio.create_task(ends.client.ping())
        await settle()
        ends.client.abort()
        with pytest.raises(ConnectionClosed):
            await ping
