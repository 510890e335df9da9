"""Channels are opened: at the peer's limits, with labels and priorities that can be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aio.pair import pair
from aio.virtual_loop import virtual


@virtual
async def test_openers_wait_at_the_peers_limit_of_each_kind() -> None:
    async with pair(max_streams=2, max_message_channels=1) as ends:
        first, second = await ends.client.open_stream(), await ends.client.open_stream()
        third = asyncio.create_task(ends.client.open_stream("third"))
        await asyncio.sleep(1)
        assert not third.done()
        channel = await ends.client.open_message_channel()  # the other kind has room
        accepted = [await ends.server.accept() for _ in range(3)]
        await first.aclose()
        await accepted[0].aclose()
        stream = await third
        assert stream.label == "third"
        for end in (second, channel, stream, *accepted[1:], await ends.server.accept()):
            await end.aclose()


@virtual
async def test_labels_and_priorities_that_cannot_be_are_refused() -> None:
    async with pair() as ends:
        with pytest.raises(ValueError, match="255 bytes"):
            await ends.client.open_stream("ä" * 128)
        with pytest.raises(ValueError, match="255 bytes"):
            await ends.client.open_message_channel("x" * 256)
        for priority in (-1, 256):
            with pytest.raises(ValueError, match="priority"):
                await ends.client.open_stream(priority=priority)
            with pytest.raises(ValueError, match="priority"):
                await ends.client.open_message_channel(priority=priority)
        not_an_integer: Any = 1.5
        with pytest.raises(TypeError):
            await ends.client.open_stream(priority=not_an_integer)
        with pytest.raises(TypeError):
            await ends.client.open_message_channel(priority=not_an_integer)
        with pytest.raises(ValueError, match="both"):
            await ends.client.open_message_channel(lifetime=1, max_retransmits=1)
        assert ends.client.stats.channel_count == 0
