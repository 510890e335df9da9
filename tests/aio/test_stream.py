"""Streams: bytes in order, waiting where the peer does not read, ends that are told apart."""

from __future__ import annotations

import array
import asyncio
from typing import cast

import pytest

from aio.link import Link
from aio.pair import pair
from aio.virtual_loop import settle, virtual
from fastmux import constants as c
from fastmux.aio.stream import Stream
from fastmux.exceptions import (
    BrokenResourceError,
    BusyResourceError,
    ChannelReset,
    ClosedResourceError,
    ConnectionClosed,
    EndOfStream,
)


@virtual
async def test_what_is_sent_is_received_and_then_the_end() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream("greeting")
        assert theirs.label == "greeting"
        await mine.send(b"hello ")
        await mine.send(b"world")
        await mine.send_eof()
        await mine.send_eof()
        received = b""
        with pytest.raises(EndOfStream):
            while True:
                received += await theirs.receive()
        assert received == b"hello world"
        with pytest.raises(EndOfStream):
            await theirs.receive()
        await theirs.send(b"and back")
        assert await mine.receive() == b"and back"
        await theirs.aclose()
        await mine.aclose()


@virtual
async def test_any_buffer_can_be_sent_and_changed_afterwards() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        data = bytearray(b"abc")
        await mine.send(data)
        data[:] = b"xyz"
        await mine.send(memoryview(b"def"))
        await mine.send(array.array("B", b"ghi"))
        await mine.send(b"")
        await mine.aclose()
        assert b"".join([chunk async for chunk in theirs]) == b"abcdefghi"
        await theirs.aclose()


@virtual
async def test_receive_gives_at_most_what_was_asked_for() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await mine.send(b"abcdef")
        assert await theirs.receive(4) == b"abcd"
        buffer = bytearray(4)
        assert await theirs.receive_into(buffer) == 2
        assert buffer == b"ef\0\0"
        await mine.send_eof()
        with pytest.raises(EndOfStream):
            await theirs.receive_into(buffer)
        for bad in (0, -1):
            with pytest.raises(ValueError, match="max_bytes"):
                await theirs.receive(bad)
        with pytest.raises(ValueError, match="empty"):
            await theirs.receive_into(bytearray())
        await theirs.aclose()
        await mine.aclose()


@virtual
async def test_what_is_no_buffer_is_refused_and_nothing_is_sent() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        with pytest.raises(TypeError):
            await mine.send(cast(bytes, "text"))
        await mine.aclose()
        with pytest.raises(EndOfStream):
            await theirs.receive()
        await theirs.aclose()


@virtual
async def test_a_sender_waits_while_the_peer_does_not_read_and_memory_stays_bounded() -> None:
    async with pair(
        write_limit=100_000, channel_window=65536, max_channel_window=65536, connection_window=2**20
    ) as ends:
        mine, theirs = await ends.stream()
        piece = bytes(10_000)
        sent = 0

        async def send_much() -> None:
            nonlocal sent
            for _ in range(100):
                await mine.send(piece)
                sent += len(piece)

        sender = asyncio.create_task(send_much())
        await asyncio.sleep(5)
        assert not sender.done()
        assert sent <= 100_000 + 65536 + 10_000
        assert ends.server.stats.held_size <= 2 * 65536
        received = 0
        while received < 1_000_000:
            received += len(await theirs.receive())
        await sender
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_senders_take_turns_in_the_order_in_which_they_came() -> None:
    async with pair(write_limit=1000) as ends:
        mine, theirs = await ends.stream()
        await mine.send(bytes(200_000))  # beyond what the peer takes: everybody waits from here on
        tasks = [asyncio.create_task(mine.send(bytes([65 + number]) * 3000)) for number in range(6)]
        await settle()
        end = asyncio.create_task(mine.send_eof())
        await settle()
        assert not any(task.done() for task in tasks)
        received = b"".join([chunk async for chunk in theirs])
        assert received[200_000:] == b"".join(bytes([65 + number]) * 3000 for number in range(6))
        await asyncio.gather(*tasks, end)
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_a_second_receiver_is_turned_away() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        first = asyncio.create_task(theirs.receive())
        await settle()
        with pytest.raises(BusyResourceError):
            await theirs.receive()
        with pytest.raises(BusyResourceError):
            await theirs.receive_into(bytearray(1))
        await mine.send(b"for the first")
        assert await first == b"for the first"
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_a_reset_is_no_end_of_stream() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await mine.send(b"half of")
        assert await theirs.receive() == b"half of"
        blocked = asyncio.create_task(theirs.receive())
        await settle()
        mine.reset(99)
        mine.reset(99)
        with pytest.raises(ChannelReset) as caught:
            await blocked
        assert caught.value.code == 99
        with pytest.raises(ChannelReset):
            await theirs.receive()
        with pytest.raises(BrokenResourceError):
            await theirs.send(b"x")
        with pytest.raises(ClosedResourceError):
            await mine.send(b"x")
        await theirs.aclose()


@virtual
async def test_a_sender_that_waits_hears_that_the_peer_gave_up() -> None:
    async with pair(write_limit=1000) as ends:
        mine, theirs = await ends.stream()
        await mine.send(bytes(300_000))
        waiting = [asyncio.create_task(mine.send(b"x")) for _ in range(2)]
        delivered = asyncio.create_task(mine.wait_delivered())
        await settle()
        theirs.reset(5)
        for task in (*waiting, delivered):
            with pytest.raises(BrokenResourceError):
                await task
        await mine.aclose()


@virtual
async def test_after_the_end_of_sending_there_is_no_more_sending() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await mine.send_eof()
        with pytest.raises(ClosedResourceError):
            await mine.send(b"x")
        await mine.aclose()
        for operation in (mine.send(b"x"), mine.receive(), mine.send_eof(), mine.wait_delivered()):
            with pytest.raises(ClosedResourceError):
                await operation
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_wait_delivered_waits_for_the_acknowledgement() -> None:
    async with pair(link=Link(delay=0.5)) as ends:
        mine, theirs = await ends.stream()
        loop = asyncio.get_running_loop()
        started = loop.time()
        await mine.send(b"x" * 5000)
        await mine.send_eof()
        await mine.wait_delivered()
        assert loop.time() - started >= 1.0
        await mine.wait_delivered()
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_a_peer_that_takes_no_more_is_heard_of_without_sending() -> None:
    async with pair(link=Link(delay=0.05)) as ends:
        for give_up in (Stream.close_now, Stream.reset):
            mine, theirs = await ends.stream()
            waiting = [asyncio.create_task(mine.wait_stopped()) for _ in range(2)]
            await mine.send(b"x")
            assert await theirs.receive() == b"x"
            await asyncio.sleep(60)
            assert not any(task.done() for task in waiting)  # not for what was delivered
            started = asyncio.get_running_loop().time()
            give_up(theirs)
            await asyncio.gather(*waiting)
            await mine.wait_stopped()
            assert asyncio.get_running_loop().time() - started < 0.2
            with pytest.raises(BrokenResourceError):
                await mine.send(b"x")
            await mine.aclose()


@virtual
async def test_waiting_for_a_stop_ends_with_the_channel_and_with_the_connection() -> None:
    async with pair() as ends:
        mine, _theirs = await ends.stream()
        for end, error in ((mine.close_now, ClosedResourceError), (ends.server.abort, ConnectionClosed)):
            stream = mine if error is ClosedResourceError else await ends.client.open_stream()
            waiting = asyncio.create_task(stream.wait_stopped())
            await settle()
            end()
            with pytest.raises(error):
                await waiting


@virtual
async def test_what_was_delivered_with_its_end_cannot_be_stopped_any_more() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await mine.send_eof()
        with pytest.raises(EndOfStream):
            await theirs.receive()
        await theirs.aclose()
        waiting = asyncio.create_task(mine.wait_stopped())
        await asyncio.sleep(60)
        assert not waiting.done()
        await mine.aclose()
        with pytest.raises(ClosedResourceError):
            await waiting


@virtual
async def test_a_closed_stream_delivers_what_it_had_accepted() -> None:
    async with pair(link=Link(loss=0.1, seed=3)) as ends:
        mine, theirs = await ends.stream()
        await mine.send(b"z" * 400_000)
        await mine.aclose()
        assert sum([len(chunk) async for chunk in theirs]) == 400_000
        await theirs.aclose()


@virtual
async def test_a_lossy_link_changes_nothing_but_the_time() -> None:
    async with pair(link=Link(loss=0.2, seed=5)) as ends:
        mine, theirs = await ends.stream()
        data = bytes(range(256)) * 1000

        async def send() -> None:
            for start in range(0, len(data), 7000):
                await mine.send(data[start : start + 7000])
            await mine.send_eof()

        sender = asyncio.create_task(send())
        assert b"".join([chunk async for chunk in theirs]) == data
        await sender
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_a_block_that_fails_resets_the_stream_and_one_that_ends_closes_it() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        with pytest.raises(KeyError):
            async with mine:
                await mine.send(b"not whole")
                raise KeyError
        with pytest.raises(ChannelReset) as caught:
            while True:
                await theirs.receive()
        assert caught.value.code == c.CANCELLED
        await theirs.aclose()
        mine, theirs = await ends.stream()
        async with mine:
            await mine.send(b"whole")
        async with theirs:
            assert [chunk async for chunk in theirs] == [b"whole"]
