"""Pings come back, but not without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aio.pair import pair
from aio.virtual_loop import virtual
from fastmux import MessageChannel, WouldBlock
from fastmux.tunnel.forwarding.counters import ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.ping_echo import PingEcho


@asynccontextmanager
async def pinged(channels: int = 1) -> AsyncIterator[tuple[list[MessageChannel], list[ChannelRecord]]]:
    async with pair() as ends:
        echo = PingEcho(asyncio.get_running_loop().time)
        registry = ChannelRegistry()
        pairs = [await ends.message_channel() for _ in range(channels)]
        records = [registry.open("x", "ping", "", "in", holds_socket=False) for _ in pairs]
        tasks = [
            asyncio.create_task(echo.serve(far, record))
            for (_, far), record in zip(pairs, records, strict=True)
        ]
        yield [near for near, _ in pairs], records
        for near, _ in pairs:
            await near.aclose()
        await asyncio.gather(*tasks)
        for _, far in pairs:
            await far.aclose()


async def answers(channel: MessageChannel) -> int:
    await asyncio.sleep(0.5)
    count = 0
    try:
        while True:
            channel.receive_nowait()
            count += 1
    except WouldBlock:
        return count


@virtual
async def test_ten_pings_a_second_are_all_answered_for_ever() -> None:
    async with pinged() as ((channel,), (record,)):
        for number in range(300):
            await channel.send(b"%d" % number)
            assert await channel.receive() == b"%d" % number
            await asyncio.sleep(0.09)
        assert record.received_size == record.sent_size


@virtual
async def test_a_flood_is_answered_by_a_burst_and_then_by_ten_a_second() -> None:
    async with pinged() as ((channel,), _):
        for _ in range(1000):
            await channel.send(b"x")
        assert 20 <= await answers(channel) <= 25
        for _ in range(100):
            await channel.send(b"x")
            await asyncio.sleep(0.02)
        assert 15 <= await answers(channel) <= 30


@virtual
async def test_many_channels_get_no_more_than_one() -> None:
    async with pinged(10) as (channels, _):
        for channel in channels:
            for _ in range(100):
                await channel.send(b"x")
        assert sum([await answers(channel) for channel in channels]) <= 20 + 10 * 0.5 * 10 + 1


@virtual
async def test_a_large_ping_is_dropped_and_one_of_64_bytes_is_not() -> None:
    async with pinged() as ((channel,), _):
        await channel.send(bytes(65))
        await channel.send(bytes(64))
        assert await channel.receive() == bytes(64)


@virtual
async def test_answers_go_before_everything_else() -> None:
    async with pair() as ends:
        near = await ends.client.open_message_channel("fastmux:ping", priority=200)
        far = await ends.server.accept()
        assert isinstance(far, MessageChannel)
        record = ChannelRegistry().open("x", "ping", "", "in")
        task = asyncio.create_task(PingEcho(asyncio.get_running_loop().time).serve(far, record))
        await near.send(b"x")
        await near.receive()
        assert far.priority == 0
        await near.aclose()
        await task
        await far.aclose()
