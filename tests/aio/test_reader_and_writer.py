"""A stream as asyncio's reader and writer."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest

from aio.pair import pair
from aio.virtual_loop import settle, virtual
from fastmux.exceptions import BusyResourceError, ChannelReset, ClosedResourceError, EndOfStream


@virtual
async def test_opened_and_accepted_streams_talk_through_readers_and_writers() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        reader, writer = mine.to_asyncio()
        far_reader, far_writer = theirs.to_asyncio()
        writer.write(b"one\ntwo\n")
        await writer.drain()
        assert await far_reader.readline() == b"one\n"
        assert await far_reader.readuntil(b"\n") == b"two\n"
        writer.write_eof()
        assert await far_reader.read() == b""
        far_writer.writelines([b"and ", b"back"])
        far_writer.close()
        await far_writer.wait_closed()
        assert await reader.readexactly(8) == b"and back"
        assert reader.at_eof() or await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert writer.get_extra_info("fastmux.connection") is ends.client


@virtual
async def test_drain_waits_while_the_peer_does_not_read() -> None:
    async with pair(write_limit=10_000, channel_window=65536, max_channel_window=65536) as ends:
        mine, theirs = await ends.stream()
        _, writer = mine.to_asyncio()
        written = 0

        async def write_much() -> None:
            nonlocal written
            for _ in range(100):
                writer.write(bytes(10_000))
                written += 10_000
                await writer.drain()

        writing = asyncio.create_task(write_much())
        await asyncio.sleep(5)
        assert not writing.done()
        assert written <= 65536 + 10_000 + 64 * 1024 + 20_000
        received = 0
        while received < 1_000_000:
            received += len(await theirs.receive())
        await writing
        writer.close()
        await theirs.aclose()


@virtual
async def test_a_reader_that_is_not_read_holds_up_the_peer() -> None:
    async with pair(write_limit=10_000, channel_window=65536, max_channel_window=65536) as ends:
        mine, theirs = await ends.stream()
        reader, writer = mine.to_asyncio(limit=1000)
        sent = 0

        async def send_much() -> None:
            nonlocal sent
            for _ in range(100):
                await theirs.send(bytes(10_000))
                sent += 10_000

        sending = asyncio.create_task(send_much())
        await asyncio.sleep(5)
        assert not sending.done()
        assert sent <= 3 * 65536 + 20_000
        assert len(await reader.readexactly(1_000_000)) == 1_000_000
        await sending
        writer.close()
        await theirs.aclose()


@virtual
async def test_a_reset_is_an_error_and_no_end() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        reader, writer = mine.to_asyncio()
        await theirs.send(b"half of")
        assert await reader.readexactly(7) == b"half of"
        theirs.reset(5)
        with pytest.raises(ChannelReset):
            await reader.read()
        with pytest.raises(ChannelReset):
            await writer.drain()
        writer.close()
        with pytest.raises(ChannelReset):
            await writer.wait_closed()


@virtual
async def test_the_stream_is_taken_while_it_is_a_reader_and_a_writer() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        _, writer = mine.to_asyncio()
        with pytest.raises(BusyResourceError):
            await mine.receive()
        with pytest.raises(BusyResourceError):
            mine.to_asyncio()
        writer.close()
        await theirs.aclose()


@virtual
async def test_a_reader_and_a_writer_that_are_dropped_give_their_stream_back() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # of asyncio's writer, which is right
            mine.to_asyncio()
            del mine
            gc.collect()
            await settle()
            gc.collect()
        with pytest.raises((ChannelReset, EndOfStream)):
            await theirs.receive()
        await theirs.aclose()
        await asyncio.sleep(1)
        assert ends.client.stats.channel_count == 0


@virtual
async def test_a_closed_stream_has_no_reader_and_writer() -> None:
    """Guards against a reader that says "end" where nothing was ever read."""
    async with pair() as ends:
        mine, theirs = await ends.stream()
        for end in (mine, theirs):
            await end.aclose()
            with pytest.raises(ClosedResourceError):
                end.to_asyncio()
