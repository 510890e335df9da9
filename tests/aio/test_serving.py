"""A task for each incoming channel, each with an end of its own."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aio.pair import Pair, pair
from aio.virtual_loop import settle, virtual
from fastmux import constants as c
from fastmux.aio.serving import AnyChannel, ChannelHandler
from fastmux.aio.stream import Stream
from fastmux.exceptions import ChannelReset, ConnectionClosed, EndOfStream


async def echo(channel: AnyChannel) -> None:
    assert isinstance(channel, Stream)
    async for chunk in channel:
        await channel.send(chunk)


def serve(ends: Pair, handler: ChannelHandler) -> asyncio.Task[None]:
    return asyncio.create_task(ends.server.serve(handler))


@virtual
async def test_each_channel_has_its_own_task() -> None:
    async with pair() as ends:
        serving = serve(ends, echo)
        streams = [await ends.client.open_stream(str(number)) for number in range(5)]
        for stream in reversed(streams):
            await stream.send(stream.label.encode())
            assert await stream.receive() == stream.label.encode()
        for stream in streams:
            await stream.send_eof()
            with pytest.raises(EndOfStream):
                await stream.receive()
            await stream.aclose()
        await ends.client.aclose()
        await serving


@virtual
async def test_a_handler_that_fails_resets_its_channel_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def fussy(channel: AnyChannel) -> None:
        if channel.label == "bad":
            raise ValueError("I do not like it")
        await echo(channel)

    async with pair() as ends:
        serving = serve(ends, fussy)
        good, bad = await ends.client.open_stream("good"), await ends.client.open_stream("bad")
        with pytest.raises(ChannelReset) as caught:
            await bad.receive()
        assert caught.value.code == c.INTERNAL
        assert "I do not like it" in caplog.text
        await good.send(b"still here")
        assert await good.receive() == b"still here"
        await bad.aclose()
        await good.aclose()
        await ends.client.aclose()
        await serving


@virtual
async def test_a_handler_that_ends_closes_its_channel_and_frees_its_slot() -> None:
    async def nothing(channel: AnyChannel) -> None:
        await channel.send(channel.label.encode())

    async with pair(max_streams=1) as ends:
        serving = serve(ends, nothing)
        for number in range(5):
            async with await ends.client.open_stream(str(number)) as stream:
                assert [chunk async for chunk in stream] == [str(number).encode()]
        await ends.client.aclose()
        await serving


@virtual
async def test_the_end_of_the_connection_is_no_fault_of_a_handler(caplog: pytest.LogCaptureFixture) -> None:
    async with pair() as ends:
        serving = serve(ends, echo)
        stream = await ends.client.open_stream()
        await stream.send(b"x")
        assert await stream.receive() == b"x"
        with caplog.at_level(logging.INFO):
            ends.client.abort(8, "away")
            with pytest.raises(ConnectionClosed, match="away"):
                await serving
        assert caplog.text == ""


@virtual
async def test_a_cancelled_serve_cancels_its_handlers_and_resets_their_channels() -> None:
    async with pair() as ends:
        serving = serve(ends, echo)
        stream = await ends.client.open_stream()
        await stream.send(b"x")
        assert await stream.receive() == b"x"
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        with pytest.raises(ChannelReset) as caught:
            await stream.receive()
        assert caught.value.code == c.CANCELLED
        await stream.aclose()
        again = asyncio.create_task(ends.server.accept())  # the acceptor's place is free
        await settle()
        assert not again.done()
        again.cancel()


@virtual
async def test_serve_waits_for_handlers_that_still_read_what_had_arrived() -> None:
    received = bytearray()

    async def slow(channel: AnyChannel) -> None:
        assert isinstance(channel, Stream)
        async for chunk in channel:
            received.extend(chunk[:1])
            await asyncio.sleep(0.1)

    async with pair() as ends:
        serving = serve(ends, slow)
        stream = await ends.client.open_stream()
        for letter in (b"a", b"b", b"c"):
            await stream.send(letter * 30_000)
            await asyncio.sleep(0.02)
        await stream.send_eof()
        await ends.client.aclose()
        await serving
        assert received.startswith(b"a")
        assert received.endswith(b"c")


@virtual
async def test_a_handler_whose_peer_left_early_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Else any peer could fill the log."""

    async def group(channel: AnyChannel) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(echo(channel))

    async def block(channel: AnyChannel) -> None:
        async with channel:
            await echo(channel)

    for handler in (echo, group, block):
        async with pair() as ends:
            serving = serve(ends, handler)
            stream = await ends.client.open_stream()
            await stream.send(bytes(300_000))
            await stream.aclose()
            await settle()
            reset = await ends.client.open_stream()
            await reset.send(bytes(300_000))
            reset.reset(7)
            await settle()
            await ends.client.aclose()
            await serving
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@virtual
async def test_an_error_of_something_else_is_logged_though_it_is_a_connection_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def ask_a_database(channel: AnyChannel) -> None:
        async with channel:
            raise ConnectionRefusedError("the database is down")

    async def ask_another(channel: AnyChannel) -> None:
        raise ConnectionRefusedError("another is down")

    for handler, code in ((ask_a_database, c.CANCELLED), (ask_another, c.INTERNAL)):
        async with pair() as ends:
            serving = serve(ends, handler)
            stream = await ends.client.open_stream()
            with pytest.raises(ChannelReset) as caught:
                await stream.receive()
            assert caught.value.code == code
            await stream.aclose()
            await ends.client.aclose()
            await serving
    assert "the database is down" in caplog.text
    assert "another is down" in caplog.text
