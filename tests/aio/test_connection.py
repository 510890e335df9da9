"""A connection carries datagrams, tells about itself, and ends in every way that it should."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aio.link import Link
from aio.pair import pair
from aio.virtual_loop import settle, virtual
from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import (
    BusyResourceError,
    ClosedResourceError,
    ConnectionClosed,
    EndOfStream,
    MessageTooBig,
)


@virtual
async def test_datagrams_come_whole_and_some_not_at_all() -> None:
    async with pair(link=Link(loss=0.3, seed=9)) as ends:
        for number in range(50):
            assert ends.client.send_datagram(bytes([number]) * 500)
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        received = set()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                while True:
                    datagram = await ends.server.receive_datagram()
                    assert datagram == datagram[:1] * 500
                    received.add(datagram[0])
        assert 20 < len(received) < 50
        with pytest.raises(MessageTooBig):
            ends.client.send_datagram(bytes(70_000))


@virtual
async def test_one_task_receives_datagrams() -> None:
    async with pair() as ends:
        first = asyncio.create_task(ends.server.receive_datagram())
        await settle()
        with pytest.raises(BusyResourceError):
            await ends.server.receive_datagram()
        ends.client.send_datagram(b"x")
        assert await first == b"x"


@virtual
async def test_a_connection_tells_about_itself() -> None:
    async with pair() as ends:
        client = ends.client
        assert client.get_extra_info("peername") == ("server", 4433)
        assert client.get_extra_info("sockname") == ("client-1", 4433)
        assert client.get_extra_info("core") == core.IMPLEMENTATION
        assert client.get_extra_info("socket_path") == "link"
        assert client.get_extra_info("peer_certificate") is None
        assert client.get_extra_info("socket", "nothing") == "nothing"
        assert client.peer.common_name == ""
        assert client.stats.packets_sent > 0
        assert repr(client) == "<Connection client with server port 4433 open>"
        assert repr(ends.server) == "<Connection server with client-1 port 4433 open>"
        await client.aclose()
        assert repr(client) == "<Connection client with server port 4433 closed>"
        assert client.stats.packets_sent > 0


@virtual
async def test_a_graceful_close_delivers_everything_first() -> None:
    async with pair(link=Link(loss=0.1, seed=6)) as ends:
        mine, theirs = await ends.stream()
        await mine.send(b"x" * 30_000)
        await mine.send_eof()
        await ends.client.aclose()
        assert b"".join([chunk async for chunk in theirs]) == b"x" * 30_000
        await ends.server.wait_closed()


@virtual
async def test_a_graceful_close_that_cannot_succeed_ends_after_its_time() -> None:
    async with pair(channel_window=1024) as ends:
        mine, _theirs = await ends.stream()
        await mine.send(bytes(100_000))
        loop = asyncio.get_running_loop()
        started = loop.time()
        await ends.client.aclose(timeout=2)
        assert loop.time() - started == pytest.approx(2, abs=0.01)
        assert ends.client.is_closed
        await ends.server.wait_closed()
        with pytest.raises(ConnectionClosed) as caught:
            await ends.server.accept()
        assert caught.value.code == c.CANCELLED


@virtual
async def test_close_returns_at_once_and_refuses_what_is_new() -> None:
    async with pair(channel_window=1024) as ends:
        mine, theirs = await ends.stream()
        await mine.send(bytes(20_000))
        await mine.send_eof()
        ends.client.close(12, "going")
        ends.client.close(13, "ignored")
        assert not ends.client.is_closed
        for operation in (
            mine.send(b"x"),
            ends.client.open_stream(),
            ends.client.accept(),
            ends.client.ping(),
            ends.client.receive_datagram(),
        ):
            with pytest.raises(ClosedResourceError):
                await operation
        with pytest.raises(ClosedResourceError):
            ends.client.send_datagram(b"x")
        assert sum([len(chunk) async for chunk in theirs]) == 20_000
        await ends.client.wait_closed()
        await ends.server.wait_closed()
        with pytest.raises(ConnectionClosed) as caught:
            await ends.server.open_stream()
        assert (caught.value.code, caught.value.reason, caught.value.remote) == (12, "going", True)


@virtual
async def test_a_close_that_nobody_awaits_is_bounded_too() -> None:
    async with pair(channel_window=1024) as ends:
        mine, _theirs = await ends.stream()
        await mine.send(bytes(20_000))
        ends.client.close()
        await asyncio.sleep(11)
        assert ends.client.is_closed


@virtual
async def test_aclose_behind_close_has_the_time_that_it_was_given() -> None:
    loop = asyncio.get_running_loop()
    for timeout, ends_after in ((2, 2), (20, 20)):
        async with pair(channel_window=1024) as ends:
            mine, _theirs = await ends.stream()
            await mine.send(bytes(20_000))
            ends.client.close()
            started = loop.time()
            await ends.client.aclose(timeout)
            assert loop.time() - started == pytest.approx(ends_after, abs=0.01)


@virtual
async def test_a_close_that_cannot_be_sent_is_refused_and_closes_nothing() -> None:
    """Guards against one that is found out too late, in the driver, again in every turn."""
    async with pair() as ends:
        bad: Any
        for end in (ends.client.close, ends.client.abort):
            for bad in (("done",), (-1,), (1.5,), (0, b"done")):
                with pytest.raises((TypeError, ValueError)):
                    end(*bad)
        assert not ends.client.is_closed
        assert await ends.client.ping() >= 0
        ends.client.close(3, "a name like \udcff.txt")
        await ends.server.wait_closed()
        with pytest.raises(ConnectionClosed, match="a name like"):
            await ends.server.accept()


@virtual
async def test_a_cancelled_aclose_still_closes() -> None:
    async with pair(channel_window=1024) as ends:
        mine, _theirs = await ends.stream()
        await mine.send(bytes(20_000))
        closing = asyncio.create_task(ends.client.aclose())
        await asyncio.sleep(1)
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
        assert ends.client.is_closed


@virtual
async def test_a_block_that_fails_aborts_and_one_that_ends_closes_gracefully() -> None:
    async with pair() as ends:
        with pytest.raises(KeyError):
            async with ends.client:
                raise KeyError
        await ends.server.wait_closed()
        with pytest.raises(ConnectionClosed) as caught:
            await ends.server.accept()
        assert caught.value.code == c.CANCELLED
    async with pair() as ends:
        async with ends.client:
            stream = await ends.client.open_stream()
            await stream.send(b"delivered")
        theirs = await ends.server.accept()
        assert await theirs.receive() == b"delivered"
        with pytest.raises(ConnectionClosed) as caught:
            await theirs.receive()
        assert caught.value.code == c.NO_ERROR


@virtual
async def test_a_silent_peer_is_noticed_by_the_idle_timeout() -> None:
    link = Link()
    async with pair(link=link, idle_timeout=5, keep_alive=2) as ends:
        await asyncio.sleep(60)
        assert not ends.client.is_closed  # kept alive
        link.loss = 1.0
        with pytest.raises(ConnectionClosed) as caught:
            await ends.client.accept()
        assert caught.value.code == c.IDLE_TIMEOUT
        assert not caught.value.remote


@virtual
async def test_both_ends_open_channels_at_the_same_time() -> None:
    async with pair() as ends:

        async def echo_once() -> None:
            stream = await ends.server.accept()
            async with stream:
                await stream.send(await stream.receive())

        echo = asyncio.create_task(echo_once())
        mine, back = await asyncio.gather(ends.client.open_stream("a"), ends.server.open_stream("b"))
        await mine.send(b"ping")
        assert await mine.receive() == b"ping"
        await back.send_eof()
        theirs = await ends.client.accept()
        assert theirs.label == "b"
        with pytest.raises(EndOfStream):
            await theirs.receive()
        await echo
        for end in (mine, back, theirs):
            await end.aclose()


@virtual
async def test_one_channel_that_nobody_reads_does_not_hold_up_the_others() -> None:
    async with pair() as ends:
        stalled, _unread = await ends.stream("stalled")
        stuck = asyncio.create_task(stalled.send(bytes(5_000_000)))
        await asyncio.sleep(1)
        for _ in range(5):
            mine, theirs = await ends.stream()
            await mine.send(b"y" * 100_000)
            await mine.aclose()
            assert sum([len(chunk) async for chunk in theirs]) == 100_000
            await theirs.aclose()
        await stuck
        stalled.reset()
        _unread.reset()


@virtual
async def test_after_a_close_of_this_end_no_datagram_is_given() -> None:
    async with pair() as ends:
        ends.client.send_datagram(b"x")
        await asyncio.sleep(1)
        ends.server.close()
        with pytest.raises(ClosedResourceError):
            await ends.server.receive_datagram()
