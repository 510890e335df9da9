"""Message channels: whole messages, in order where that was chosen, never more than there is room for."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from aio.link import Link
from aio.pair import pair
from aio.virtual_loop import settle, virtual
from fastmux.aio.message_channel import MessageChannel
from fastmux.exceptions import (
    BusyResourceError,
    ChannelReset,
    ClosedResourceError,
    EndOfStream,
    MessageTooBig,
    WouldBlock,
)


@virtual
async def test_messages_keep_their_borders_and_their_order() -> None:
    async with pair(link=Link(loss=0.1, seed=2)) as ends:
        mine, theirs = await ends.message_channel()
        messages: list[bytes | bytearray] = [b"", b"x", b"y" * 5000, bytearray(b"z" * 129), b"w" * 100_000]
        for message in messages:
            await mine.send(message)
        await mine.send_eof()
        assert [message async for message in theirs] == messages
        with pytest.raises(EndOfStream):
            await theirs.receive()
        await theirs.send(b"back")
        assert await mine.receive() == b"back"
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_the_opener_chooses_for_both_ends() -> None:
    async with pair() as ends:
        opener = ends.client.open_message_channel
        for ordered, open_channel, reliable in [
            (True, partial(opener), True),
            (False, partial(opener, reliable=False), False),
            (False, partial(opener, lifetime=0.5), False),
            (True, partial(opener, max_retransmits=2), False),
        ]:
            mine = await open_channel("m", ordered=ordered)
            theirs = await ends.server.accept()
            assert isinstance(theirs, MessageChannel)
            for end in (mine, theirs):
                assert (end.label, end.ordered, end.reliable) == ("m", ordered, reliable)
            await mine.aclose()
            await theirs.aclose()


@virtual
async def test_a_message_that_is_too_big_is_refused_and_the_channel_goes_on() -> None:
    async with pair(max_message_size=1000) as ends:
        mine, theirs = await ends.message_channel()
        with pytest.raises(MessageTooBig):
            await mine.send(bytes(1001))
        with pytest.raises(MessageTooBig):
            mine.send_nowait(bytes(1001))
        await mine.send(bytes(1000))
        assert await theirs.receive() == bytes(1000)
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_send_nowait_takes_a_message_or_says_that_there_is_no_room() -> None:
    async with pair(write_limit=5000) as ends:
        mine, theirs = await ends.message_channel()
        taken = 0
        with pytest.raises(WouldBlock):
            while True:
                mine.send_nowait(bytes(1000))
                taken += 1
        assert taken == 5
        await mine.wait_delivered()
        for _ in range(taken):
            assert theirs.receive_nowait() == bytes(1000)
        with pytest.raises(WouldBlock):
            theirs.receive_nowait()
        mine.send_nowait(b"room again")
        await mine.aclose()
        assert await theirs.receive() == b"room again"
        await asyncio.sleep(1)
        with pytest.raises(EndOfStream):
            theirs.receive_nowait()
        await theirs.aclose()


@virtual
async def test_send_nowait_does_not_overtake_those_who_wait() -> None:
    async with pair(write_limit=1000, channel_window=1024) as ends:
        mine, theirs = await ends.message_channel()
        await mine.send(bytes(10_000))
        await mine.send(bytes(5000))
        waiting = asyncio.create_task(mine.send(b"first"))
        await settle()
        with pytest.raises(WouldBlock):
            mine.send_nowait(b"second")
        assert len(await theirs.receive()) == 10_000
        assert len(await theirs.receive()) == 5000
        assert await theirs.receive() == b"first"
        await waiting
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_send_many_says_how_many_were_taken() -> None:
    async with pair(write_limit=5000) as ends:
        mine, theirs = await ends.message_channel()
        messages = [bytes([number]) * 1000 for number in range(20)]
        waiting = list(messages)
        rounds = 0
        received: list[bytes] = []

        async def read() -> None:
            async for message in theirs:
                received.append(message)

        reader = asyncio.create_task(read())
        while waiting:
            taken = await mine.send_many(waiting)
            assert 1 <= taken <= len(waiting)
            waiting = waiting[taken:]
            rounds += 1
        assert rounds >= 3
        assert await mine.send_many([]) == 0
        await mine.aclose()
        await reader
        assert received == messages
        await theirs.aclose()


@virtual
async def test_receive_many_gives_what_is_there() -> None:
    async with pair() as ends:
        mine, theirs = await ends.message_channel()
        first = asyncio.create_task(theirs.receive_many())
        await settle()
        with pytest.raises(BusyResourceError):
            theirs.receive_nowait()
        assert await mine.send_many([b"a", b"b", b"c"]) == 3
        assert await first == [b"a", b"b", b"c"]
        await mine.send_many([b"d", b"e", b"f"])
        assert await theirs.receive_many(2) == [b"d", b"e"]
        assert await theirs.receive_many(2) == [b"f"]
        with pytest.raises(ValueError, match="max_messages"):
            await theirs.receive_many(0)
        await mine.aclose()
        with pytest.raises(EndOfStream):
            await theirs.receive_many()
        await theirs.aclose()


@virtual
async def test_a_sender_waits_while_nobody_receives() -> None:
    async with pair(
        write_limit=20_000, channel_window=16384, max_channel_window=16384, connection_window=2**20
    ) as ends:
        mine, theirs = await ends.message_channel()
        sent = 0

        async def send_much() -> None:
            nonlocal sent
            for _ in range(50):
                await mine.send(bytes(4000))
                sent += 1

        sender = asyncio.create_task(send_much())
        await asyncio.sleep(5)
        assert 4 < sent < 15
        for _ in range(50):
            assert len(await theirs.receive()) == 4000
        await sender
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_unreliable_messages_may_be_lost_but_never_damaged_or_repeated() -> None:
    async with pair(link=Link(loss=0.3, seed=4)) as ends:
        mine = await ends.client.open_message_channel(ordered=False, reliable=False)
        theirs = await ends.server.accept()
        assert isinstance(theirs, MessageChannel)
        for number in range(100):
            await mine.send(number.to_bytes(2, "big") * 600)
            await asyncio.sleep(0.005)
        await mine.aclose()
        received = [message async for message in theirs]
        numbers = [int.from_bytes(message[:2], "big") for message in received]
        assert len(set(numbers)) == len(numbers)
        assert 30 < len(numbers) < 100
        assert all(message == message[:2] * 600 for message in received)
        await theirs.aclose()


@virtual
async def test_a_reset_ends_it_for_both() -> None:
    async with pair() as ends:
        mine, theirs = await ends.message_channel()
        waiting = asyncio.create_task(theirs.receive())
        await settle()
        mine.reset(3)
        with pytest.raises(ChannelReset):
            await waiting
        with pytest.raises(ClosedResourceError):
            mine.receive_nowait()
        with pytest.raises(ClosedResourceError):
            mine.send_nowait(b"x")
        await theirs.aclose()
