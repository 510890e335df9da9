"""What both kinds of channel do at their ends, towards one end of a real connection."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

import pytest

from aio.pair import pair
from aio.virtual_loop import settle, virtual
from fastmux import constants as c
from fastmux.exceptions import ChannelReset, ClosedResourceError, ConnectionClosed, EndOfStream


@virtual
async def test_a_channel_says_what_it_is() -> None:
    async with pair() as ends:
        stream = await ends.client.open_stream("läbel", priority=7)
        theirs = await ends.server.accept()
        assert (stream.id, theirs.id) == (0, 0)
        assert (stream.label, theirs.label) == ("läbel", "läbel")
        assert (stream.priority, theirs.priority) == (7, 7)
        assert repr(stream) == "<Stream 0 'läbel'>"
        await stream.aclose()
        assert repr(stream) == "<Stream 0 'läbel' closed>"
        await theirs.aclose()


@virtual
async def test_a_priority_may_be_set_by_each_end_for_itself() -> None:
    async with pair() as ends:
        stream = await ends.client.open_stream(priority=7)
        channel = await ends.client.open_message_channel(priority=200)
        their_stream, their_channel = await ends.server.accept(), await ends.server.accept()
        stream.priority = 255
        their_channel.priority = 0
        assert [end.priority for end in (stream, their_stream, channel, their_channel)] == [255, 7, 200, 0]
        not_an_integer: Any = 1.5
        for value, error in ((-1, ValueError), (256, ValueError), (not_an_integer, TypeError)):
            with pytest.raises(error):
                stream.priority = value
        assert stream.priority == 255
        await stream.aclose()
        with pytest.raises(ClosedResourceError):
            stream.priority = 1
        ends.client.abort()
        with pytest.raises(ConnectionClosed):
            channel.priority = 1
        assert (stream.priority, channel.priority) == (255, 200)
        for end in (channel, their_stream, their_channel):
            end.reset()


@virtual
async def test_a_channel_that_is_made_more_urgent_sends_at_once_what_waited_for_credit() -> None:
    window = 200_000
    async with pair(connection_window=window, max_connection_window=window, budget=window) as ends:
        urgent = await ends.client.open_stream(priority=0)
        bulk = await ends.client.open_stream(priority=32)
        theirs = [await ends.server.accept() for _ in range(2)]
        await bulk.send(bytes(window))  # its own window grows only as somebody reads
        others = [await ends.client.open_stream(priority=32) for _ in range(3)]
        for stream in others:
            await stream.send(bytes(60_000))
        await asyncio.sleep(1)
        before = ends.server.stats.held_size
        assert before < window - 30_000  # a part of the window is kept for the urgent stream
        urgent.priority = 32
        await asyncio.sleep(1)
        assert ends.server.stats.held_size > before + 30_000
        for end in (urgent, bulk, *others, *theirs):
            end.reset()


@virtual
async def test_closing_wakes_whoever_waits_here() -> None:
    async with pair(write_limit=1000) as ends:
        mine, theirs = await ends.stream()
        await mine.send(bytes(300_000))
        tasks = [
            asyncio.create_task(mine.receive()),
            asyncio.create_task(mine.send(b"x")),
            asyncio.create_task(mine.send(b"y")),
            asyncio.create_task(mine.wait_delivered()),
        ]
        await settle()
        await mine.aclose()
        for task in tasks:
            with pytest.raises(ClosedResourceError):
                await task
        theirs.reset()


@virtual
async def test_what_was_not_read_is_discarded_and_the_peer_hears_of_it() -> None:
    async with pair(write_limit=1000) as ends:
        mine, theirs = await ends.stream()
        await mine.send(bytes(300_000))
        await asyncio.sleep(1)
        assert ends.server.stats.held_size > 0
        await theirs.aclose()
        assert ends.server.stats.held_size == 0
        with pytest.raises(EndOfStream):
            await mine.receive()
        await mine.aclose()


@virtual
async def test_closed_channels_give_their_slots_back() -> None:
    async with pair(max_streams=2) as ends:
        for number in range(10):
            mine, theirs = await ends.stream(str(number))
            await mine.send(b"x")
            await mine.aclose()
            assert await theirs.receive() == b"x"
            await theirs.aclose()
        await asyncio.sleep(1)
        assert ends.server.stats.channel_count == 0
        assert ends.client.stats.channel_count == 0


@virtual
async def test_a_channel_whose_ends_are_read_and_written_may_simply_be_dropped() -> None:
    async with pair(max_streams=1) as ends:
        for _ in range(3):
            mine, theirs = await ends.stream()
            await mine.send_eof()
            await theirs.send_eof()
            for end in (mine, theirs):
                with pytest.raises(EndOfStream):
                    await end.receive()
            del mine, theirs, end
            gc.collect()
        await asyncio.sleep(1)
        assert ends.server.stats.channel_count == 0


@virtual
async def test_nothing_is_kept_of_a_channel_that_was_given_back() -> None:
    async with pair() as ends:
        (closed, reset, dropped), theirs = zip(*[await ends.stream() for _ in range(3)], strict=True)
        await dropped.send_eof()
        table = ends.client._channels
        assert [table.find(each.id) for each in (closed, reset, dropped)] == [closed, reset, dropped]
        await closed.aclose()
        reset.reset()
        del dropped
        gc.collect()
        await asyncio.sleep(1)
        assert not table._channels
        for each in theirs:
            await each.aclose()


@virtual
async def test_a_dropped_channel_that_was_not_finished_is_reset_with_a_warning() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await mine.send(b"not whole")
        assert await theirs.receive() == b"not whole"
        with pytest.warns(ResourceWarning, match="dropped unclosed"):
            del mine
            gc.collect()
        with pytest.raises(ChannelReset) as caught:
            await theirs.receive()
        assert caught.value.code == c.CANCELLED
        await theirs.aclose()


@virtual
async def test_channels_dropped_after_the_connection_ended_are_no_fault() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await mine.send(b"x")
        ends.client.abort()
        await ends.server.wait_closed()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            del mine, theirs
            gc.collect()


@virtual
async def test_when_the_connection_ends_every_waiting_task_gets_the_reason() -> None:
    async with pair(write_limit=1000) as ends:
        mine, theirs = await ends.stream()
        channel, _theirs = await ends.message_channel()
        await mine.send(bytes(300_000))
        waiting = [
            asyncio.create_task(operation)
            for operation in (mine.receive(), mine.send(b"x"), mine.wait_delivered(), channel.receive())
        ]
        await settle()
        ends.server.abort(77, "enough")
        for task in waiting:
            with pytest.raises(ConnectionClosed) as caught:
                await task
            assert (caught.value.code, caught.value.reason, caught.value.remote) == (77, "enough", True)
        with pytest.raises(ConnectionClosed) as caught:
            await theirs.receive()
        assert caught.value.remote is False


@virtual
async def test_what_came_before_the_peer_closed_can_still_be_read() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await mine.send(b"last words")
        await mine.send_eof()
        await ends.client.aclose()
        await ends.server.wait_closed()
        assert [chunk async for chunk in theirs] == [b"last words"]
        with pytest.raises(ConnectionClosed):
            await theirs.send(b"too late")
        ends.server.close()
        with pytest.raises(ConnectionClosed):
            await theirs.receive()


@virtual
async def test_a_stream_cut_short_by_a_close_does_not_look_whole() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await mine.send(b"half")
        await ends.client.aclose()
        assert await theirs.receive() == b"half"
        with pytest.raises(ConnectionClosed):
            await theirs.receive()


@virtual
async def test_a_channel_is_lost_when_the_peer_gives_it_up_or_the_connection_ends() -> None:
    async with pair() as ends:
        channels = []
        for _ in range(5):
            mine = await ends.client.open_stream()
            channels.append((mine, await ends.server.accept()))
        assert not any(end.is_lost for pair in channels for end in pair)
        (closed, first), (reset, second), (eof, third), (own, fourth), (last, fifth) = channels
        await closed.aclose()
        reset.reset()
        await eof.send_eof()
        await own.aclose()
        await asyncio.sleep(1)
        theirs = [end.is_lost for end in (first, second, third, fourth, fifth)]
        assert theirs == [True, True, False, True, False]
        assert [end.is_lost for end in (closed, reset, own)] == [False, False, False]
        first.reset()
        assert first.is_lost  # as it was before
        ends.server.close()
        assert fifth.is_lost
        await asyncio.sleep(1)
        assert last.is_lost
        for pair_ in channels:
            for end in pair_:
                await end.aclose()


@virtual
async def test_a_code_that_cannot_be_sent_changes_nothing() -> None:
    """Guards against a channel that counts as closed here and is open for ever in the core."""
    async with pair(max_streams=1) as ends:
        mine = await ends.client.open_stream()
        theirs = await ends.server.accept()
        bad: Any
        for bad in ("why", -1, 1 << 62):
            with pytest.raises((TypeError, ValueError)):
                theirs.reset(bad)
        assert not theirs.is_closed
        theirs.reset(5)
        with pytest.raises(ChannelReset):
            await mine.receive()
        await mine.aclose()
        await (await ends.client.open_stream()).aclose()
