"""Round trips: each answer to its ping, losses counted, figures right."""

from __future__ import annotations

import asyncio

import pytest

from aio.pair import Pair, pair
from aio.virtual_loop import virtual
from fastmux import MessageChannel
from fastmux.exceptions import ConnectionClosed
from fastmux.tunnel.client.pinging import Pinger, PingResult


def pinger(ends: Pair, result: PingResult, interval: float = 1.0) -> Pinger:
    return Pinger(ends.client, size=64, interval=interval, on_answer=lambda *_: None, result=result)


async def accept(ends: Pair) -> MessageChannel:
    channel = await ends.server.accept()
    assert isinstance(channel, MessageChannel)
    assert channel.label == "fastmux:ping"
    return channel


@virtual
async def test_every_ping_is_timed_and_they_keep_their_interval() -> None:
    async with pair() as ends:
        result = PingResult()
        told: list[int] = []
        started = asyncio.get_running_loop().time()
        running = asyncio.create_task(
            Pinger(
                ends.client,
                size=64,
                interval=0.5,
                on_answer=lambda number, _: told.append(number),
                result=result,
            ).run(5)
        )
        async with await accept(ends) as channel:
            for _ in range(5):
                message = await channel.receive()
                assert len(message) == 64
                await channel.send(message)
            await running
        assert told == [1, 2, 3, 4, 5]
        assert result.lost == 0
        assert all(0.0099 < trip < 0.02 for trip in result.round_trips)
        assert 2.0 <= asyncio.get_running_loop().time() - started < 2.2


@virtual
async def test_what_is_not_answered_is_lost_and_rubbish_is_no_answer() -> None:
    async with pair() as ends:
        result = PingResult()
        running = asyncio.create_task(pinger(ends, result).run(3))
        async with await accept(ends) as channel:
            first = await channel.receive()
            for message in (first, first, b"", b"x" * 64, b"x" * 100):
                await channel.send(message)
            await running
        assert (result.sent, len(result.round_trips), result.lost) == (3, 1, 2)


@virtual
async def test_a_server_that_ends_the_channel_ends_the_pings() -> None:
    async with pair() as ends:
        running = asyncio.create_task(pinger(ends, PingResult()).run(None))
        channel = await accept(ends)
        await channel.aclose()
        with pytest.raises(ConnectionError, match="ended the ping channel"):
            await running


@virtual
async def test_a_lost_connection_ends_them_and_what_was_measured_stays() -> None:
    async with pair() as ends:
        result = PingResult()
        running = asyncio.create_task(pinger(ends, result).run(None))
        channel = await accept(ends)
        await channel.send(await channel.receive())
        await asyncio.sleep(0.1)
        ends.server.abort()
        with pytest.raises(ConnectionClosed):
            await running
        assert len(result.round_trips) == 1


def test_the_summary_has_all_figures() -> None:
    result = PingResult(4, [0.001, 0.003, 0.002])
    assert result.summary() == [
        "4 sent, 3 answered, 25 % lost",
        "min/avg/max/p99 = 1.000/2.000/3.000/3.000 ms",
    ]
    assert PingResult(2).summary() == ["2 sent, 0 answered, 100 % lost"]


def test_percentiles_are_nearest_ranks() -> None:
    result = PingResult(100, [number / 1000 for number in range(1, 101)])
    assert result.percentile(0.99) == 0.099
    assert result.percentile(0.5) == 0.05
    assert result.percentile(1.0) == 0.1
    assert PingResult(1, [0.5]).percentile(0.01) == 0.5
