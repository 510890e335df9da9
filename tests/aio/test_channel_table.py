"""Channel objects are found by their number, and dropped ones given back."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from aio.pair import pair
from aio.virtual_loop import virtual
from fastmux import constants as c
from fastmux.aio.stream import Stream
from fastmux.exceptions import EndOfStream


@virtual
async def test_readiness_of_channels_that_nobody_holds_is_nobodys_business() -> None:
    async with pair() as ends:
        mine = await ends.client.open_stream("not accepted yet")
        await mine.send(b"x" * 5000)
        await mine.send_eof()
        await asyncio.sleep(1)
        theirs = await ends.server.accept()
        assert theirs.label == "not accepted yet"
        async with theirs, mine:
            assert b"".join([chunk async for chunk in theirs]) == b"x" * 5000


@virtual
async def test_each_kind_has_its_class_on_both_sides() -> None:
    async with pair() as ends:
        stream, their_stream = await ends.stream()
        channel, their_channel = await ends.message_channel()
        back = await ends.server.open_stream()
        assert [end.id for end in (stream, channel, back)] == [0, 2, 1]
        for end in (stream, their_stream, channel, their_channel, back):
            await end.aclose()


@virtual
async def test_a_channel_dropped_in_another_thread_is_given_back_in_the_loop() -> None:
    async with pair(max_streams=1) as ends:
        mine, theirs = await ends.stream()
        await mine.send_eof()
        await theirs.send_eof()
        with pytest.raises(EndOfStream):
            await theirs.receive()
        holder = [theirs]
        del theirs
        thread = threading.Thread(target=holder.clear)
        thread.start()
        thread.join()
        gc.collect()
        await mine.aclose()
        async with await ends.client.open_stream("the slot is free again") as again:
            assert again.id == 1 << 2 | c.KIND_STREAM << 1 | c.ROLE_CLIENT


@virtual
async def test_a_thousand_idle_channels_cost_nothing_when_one_is_used() -> None:
    async with pair() as ends:
        idle = [await ends.client.open_stream() for _ in range(500)]
        mine = await ends.client.open_stream("used")
        await mine.send(b"x")
        await asyncio.sleep(1)
        accepted = [await ends.server.accept() for _ in range(501)]
        assert [channel.id for channel in accepted] == [channel.id for channel in (*idle, mine)]
        await asyncio.gather(*(channel.aclose() for channel in (*idle, mine, *accepted)))


@virtual
async def test_channels_that_came_with_the_close_can_still_be_accepted() -> None:
    async with pair() as ends:
        mine = await ends.client.open_stream("last")
        await mine.send(b"words")
        await mine.send_eof()
        await ends.client.aclose()
        await ends.server.wait_closed()
        async for theirs in ends.server:
            async with theirs:
                assert isinstance(theirs, Stream)
                assert [chunk async for chunk in theirs] == [b"words"]
