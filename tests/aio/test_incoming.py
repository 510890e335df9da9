"""Channels that the peer opened are accepted, iterated over and served, by one task at a time."""

from __future__ import annotations

import asyncio

import pytest

from aio.pair import pair
from aio.virtual_loop import settle, virtual
from fastmux.exceptions import (
    BusyResourceError,
    ConnectionClosed,
)


@virtual
async def test_accepting_iterating_and_serving_exclude_each_other() -> None:
    async with pair() as ends:
        accepting = asyncio.create_task(ends.server.accept())
        await settle()
        with pytest.raises(BusyResourceError):
            await ends.server.accept()
        with pytest.raises(BusyResourceError):
            await ends.server.serve(lambda channel: channel.aclose())
        with pytest.raises(BusyResourceError):
            async for _ in ends.server:
                pass
        accepting.cancel()
        await settle()
        serving = asyncio.create_task(ends.server.serve(lambda channel: channel.aclose()))
        await settle()
        with pytest.raises(BusyResourceError):
            await ends.server.accept()
        serving.cancel()


@virtual
async def test_iterating_ends_with_a_clean_close_and_raises_after_an_error() -> None:
    async with pair() as ends:
        stream = await ends.client.open_stream("only")
        await stream.send_eof()
        labels = []

        async def collect() -> None:
            async for channel in ends.server:
                labels.append(channel.label)
                await channel.aclose()

        collector = asyncio.create_task(collect())
        await settle()
        await ends.client.aclose()
        await collector
        assert labels == ["only"]
    async with pair() as ends:
        collector = asyncio.create_task(collect())
        await settle()
        ends.client.abort(9, "bad day")
        with pytest.raises(ConnectionClosed, match="bad day"):
            await collector
