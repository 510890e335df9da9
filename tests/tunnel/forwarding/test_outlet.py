"""Opening channels at the far end over whatever connection there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aio.pair import Pair, pair
from aio.virtual_loop import virtual
from fastmux import MessageChannel, Stream
from fastmux.aio.answers import AnswerCode, OpenRefused, encode_answer
from fastmux.aio.connection import Connection
from fastmux.tunnel.constants import PRIORITY_BULK
from fastmux.tunnel.forwarding.counters import ChannelRegistry
from fastmux.tunnel.forwarding.outlet import UNKNOWN, Outlet
from fastmux.tunnel.notation.targets import Target


def outlet_of(*connections: Connection, open_timeout: float = 30) -> Outlet:
    """An outlet that is given these connections in turn, the last one for ever; without any it waits."""
    left = list(connections)

    async def get_connection() -> Connection:
        while not left:
            await asyncio.sleep(1)
        return left.pop(0) if len(left) > 1 else left[0]

    return Outlet(get_connection, ChannelRegistry(), open_timeout=open_timeout)


async def accept(ends: Pair, code: AnswerCode = AnswerCode.CONNECTED) -> Stream:
    stream = await ends.server.accept()
    assert isinstance(stream, Stream)
    await stream.send(encode_answer(code, "text"))
    return stream


@virtual
async def test_streams_are_opened_by_label_and_returned_once_answered() -> None:
    async with pair() as ends:
        outlet = outlet_of(ends.client)
        assert outlet.identity == UNKNOWN
        opens: list[tuple[Callable[[], Coroutine[Any, Any, Stream]], str]] = [
            (lambda: outlet.open_tcp("::1", 22), "fastmux:tcp:[::1]:22"),
            (lambda: outlet.open_unix("/run/s"), "fastmux:unix:/run/s"),
            (lambda: outlet.open_stream(Target("tcp", "a", 1)), "fastmux:tcp:a:1"),
        ]
        for open_one, label in opens:
            opening = asyncio.create_task(open_one())
            far = await accept(ends)
            near = await opening
            assert far.label == label
            assert far.priority == near.priority == PRIORITY_BULK
            near.reset()
            far.reset()
        assert outlet.identity == "anonymous"


@virtual
async def test_a_datagram_channel_is_neither_ordered_nor_reliable_nor_answered() -> None:
    async with pair() as ends:
        near = await outlet_of(ends.client).open_udp("192.0.2.7", 53)
        far = await ends.server.accept()
        assert isinstance(far, MessageChannel)
        assert (far.label, far.ordered, far.reliable) == ("fastmux:udp:192.0.2.7:53", False, False)
        near.reset()
        far.reset()


@virtual
async def test_a_refusal_is_raised_and_its_stream_given_back() -> None:
    async with pair() as ends:
        opening = asyncio.ensure_future(outlet_of(ends.client).open_tcp("a", 1))
        far = await accept(ends, AnswerCode.CONNECTION_REFUSED)
        with pytest.raises(OpenRefused, match="refused the connection"):
            await opening
        far.reset()


@virtual
async def test_without_a_connection_or_an_answer_it_waits_so_long_and_no_longer() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError, match="within 5 s"):
        await outlet_of(open_timeout=5).open_tcp("a", 1)
    assert loop.time() == 5
    async with pair() as ends:
        with pytest.raises(TimeoutError, match="no answer"):
            await outlet_of(ends.client, open_timeout=5).open_tcp("a", 1)


@virtual
async def test_a_connection_that_ends_meanwhile_is_replaced_by_the_next_one() -> None:
    async with pair() as old, pair() as new:
        outlet = outlet_of(old.client, new.client)
        opening = asyncio.ensure_future(outlet.open_tcp("a", 1))
        lost = await old.server.accept()
        old.server.abort()
        lost.reset()
        far = await accept(new)
        near = await opening
        near.reset()
        far.reset()


@virtual
async def test_a_connection_that_is_over_and_has_no_successor_is_an_error_at_once() -> None:
    async with pair() as ends:
        ends.client.abort()
        with pytest.raises(ConnectionError, match="over"):
            await outlet_of(ends.client).open_tcp("a", 1)
        assert asyncio.get_running_loop().time() < 5


@virtual
async def test_a_target_that_fits_no_label_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="255"):
        await outlet_of().open_tcp("a" * 250, 1)
