"""Channels behave by port as they do by header: labels, back-pressure, ends, errors, cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

import fastmux
from e2e.conversation import FarEnd, exercise
from e2e.support import run
from fastmux import PLAINTEXT, portmux
from fastmux import constants as c
from fastmux.aio.settings import Settings
from fastmux.exceptions import (
    BrokenResourceError,
    BusyResourceError,
    ChannelReset,
    ClosedResourceError,
    ConnectionClosed,
    EndOfStream,
    MessageTooBig,
    WouldBlock,
)
from portmux.ends import HOST, Ends, Way, ends, until

Check = Callable[[Ends], Coroutine[Any, Any, None]]


@pytest.fixture(params=["header", "port"])
def way(request: pytest.FixtureRequest) -> Way:
    """Both ways to multiplex."""
    return cast(Way, request.param)


async def check_all_bytes_and_the_end_arrive(both: Ends) -> None:
    mine, theirs = await both.streams("a label")
    assert theirs.label == mine.label == "a label"
    await mine.send(b"one")
    await mine.send(bytearray(b" and two"))
    await mine.send_eof()
    assert b"".join([chunk async for chunk in theirs]) == b"one and two"
    with pytest.raises(EndOfStream):
        await theirs.receive()
    await theirs.send(b"back")
    await theirs.aclose()
    assert await mine.receive() == b"back"
    with pytest.raises(EndOfStream):
        await mine.receive()
    await mine.aclose()


async def check_a_server_may_open(both: Ends) -> None:
    stream = await both.server.open_stream("from the server", priority=7)
    found = await both.client.accept()
    assert isinstance(found, fastmux.Stream)
    assert (found.label, found.priority) == ("from the server", 7)
    await stream.send(b"hello")
    assert await found.receive() == b"hello"
    await found.aclose()
    with pytest.raises(BrokenResourceError):
        while True:
            await stream.send(b"more")
            await asyncio.sleep(0)
    await stream.aclose()


async def check_a_reset_is_no_end(both: Ends) -> None:
    mine, theirs = await both.streams()
    await mine.send(b"half of it")
    await mine.wait_delivered()
    mine.reset(99)
    with pytest.raises(ChannelReset) as caught:
        while True:
            await theirs.receive()
    assert caught.value.code == 99
    with pytest.raises(ClosedResourceError):
        await mine.send(b"more")
    await theirs.aclose()


async def check_a_block_that_fails_resets(both: Ends) -> None:
    mine, theirs = await both.streams()
    with pytest.raises(KeyError):
        async with mine:
            await mine.send(b"half")
            raise KeyError
    with pytest.raises(ChannelReset):
        await theirs.receive()
        await theirs.receive()
    await theirs.aclose()


async def check_a_sender_waits_while_nobody_reads(both: Ends) -> None:
    mine, theirs = await both.streams()
    piece = bytes(10_000)
    sent = 0

    async def send_much() -> None:
        nonlocal sent
        for _ in range(100):
            await mine.send(piece)
            sent += len(piece)
        await mine.send_eof()

    sender = asyncio.create_task(send_much())
    await asyncio.wait([sender], timeout=0.2)
    assert not sender.done()
    assert sent <= 100_000 + 65536 + 10_000
    assert sum([len(chunk) async for chunk in theirs]) == 1_000_000
    await sender
    await mine.wait_delivered()
    await mine.aclose()
    await theirs.aclose()


async def check_one_reader_at_a_time(both: Ends) -> None:
    mine, theirs = await both.streams()
    reader = asyncio.create_task(theirs.receive())
    await asyncio.sleep(0)
    with pytest.raises(BusyResourceError):
        await theirs.receive()
    await mine.send(b"x")
    assert await reader == b"x"
    await mine.aclose()
    await theirs.aclose()


async def check_a_cancelled_receive_loses_nothing(both: Ends) -> None:
    mine, theirs = await both.streams()
    reader = asyncio.create_task(theirs.receive())
    await asyncio.sleep(0)
    reader.cancel()
    await asyncio.wait([reader])
    await mine.send(b"kept")
    assert await theirs.receive() == b"kept"
    await mine.aclose()
    await theirs.aclose()


async def check_messages_keep_borders(both: Ends) -> None:
    mine, theirs = await both.message_channels()
    messages = [bytes([number]) * size for number, size in enumerate((0, 1, 128, 1452, 70_000))]
    assert await mine.send_many(messages) == len(messages)
    received: list[bytes] = []
    while len(received) < len(messages):
        received += await theirs.receive_many(2)
    assert received == messages
    with pytest.raises(WouldBlock):
        theirs.receive_nowait()
    with pytest.raises(MessageTooBig):
        await mine.send(bytes(200_001))
    await mine.send_eof()
    with pytest.raises(EndOfStream):
        await theirs.receive()
    await mine.aclose()
    await theirs.aclose()


async def check_unordered_and_unreliable_channels(both: Ends) -> None:
    mine = await both.client.open_message_channel("game", ordered=False, lifetime=0.5)
    theirs = await both.server.accept()
    assert isinstance(theirs, fastmux.MessageChannel)
    assert (theirs.ordered, theirs.reliable, theirs.label) == (False, False, "game")
    await mine.send(b"state")
    assert await theirs.receive() == b"state"
    await mine.aclose()
    await theirs.aclose()


async def check_a_graceful_close_delivers_everything(both: Ends) -> None:
    mine, theirs = await both.streams()
    await mine.send(bytes(300_000))

    async def read() -> int:
        size = 0
        try:
            while True:
                size += len(await theirs.receive())
        except ConnectionClosed as error:
            assert (error.code, error.remote) == (c.NO_ERROR, True)
        return size

    reader = asyncio.create_task(read())
    await both.client.aclose()
    assert await reader == 300_000
    for end in (both.client, both.server):
        with pytest.raises(ConnectionClosed):
            await end.open_stream()
    assert [channel async for channel in both.server] == []


async def check_an_abort_ends_every_channel(both: Ends) -> None:
    mine, theirs = await both.streams()
    reader = asyncio.create_task(theirs.receive())
    await asyncio.sleep(0)
    both.client.abort(7, "enough")
    with pytest.raises(ConnectionClosed) as caught:
        await reader
    assert (caught.value.code, caught.value.reason, caught.value.remote) == (7, "enough", True)
    with pytest.raises(ConnectionClosed):
        await mine.send(b"x")
    with pytest.raises(ConnectionClosed):
        await both.server.accept()
    await both.server.wait_closed()


async def check_a_handler_that_fails_resets_its_channel(both: Ends) -> None:
    async def fail(channel: object) -> None:
        raise RuntimeError("no")

    serving = asyncio.create_task(both.server.serve(fail))
    stream = await both.client.open_stream()
    with pytest.raises(ChannelReset) as caught:
        await stream.receive()
    assert caught.value.code == c.INTERNAL
    with pytest.raises(BusyResourceError):
        await both.server.accept()
    await stream.aclose()
    await both.client.aclose()
    await serving


async def check_openers_wait_for_a_place(both: Ends) -> None:
    kept = [await both.streams() for _ in range(8)]
    opener = asyncio.create_task(both.client.open_stream("late"))
    await asyncio.wait([opener], timeout=0.05)
    assert not opener.done()
    mine, theirs = kept.pop()
    await mine.aclose()
    await theirs.aclose()
    await (await opener).aclose()
    for pair in kept:
        for channel in pair:
            await channel.aclose()


async def check_a_cancelled_opener_leaves_nothing(both: Ends) -> None:
    for turns in range(6):
        opener = asyncio.create_task(both.client.open_stream("never"))
        for _ in range(turns):
            await asyncio.sleep(0)
        opener.cancel()
        await asyncio.wait([opener])
        if not opener.cancelled():
            await opener.result().aclose()
    for _ in range(8):
        stream = await both.client.open_stream("real")
        await stream.send(b"x")
        while (found := await both.server.accept()).label != "real":
            await found.aclose()
        assert await found.receive() == b"x"
        await found.aclose()
        await stream.aclose()


SETTINGS: Settings = {
    "write_limit": 100_000,
    "channel_window": 65536,
    "max_channel_window": 65536,
    "connection_window": 131_072,
    "max_message_size": 200_000,
}
CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_channels_behave_the_same(way: Way, check: Check) -> None:
    async def main() -> None:
        settings = SETTINGS.copy()
        if way == "header":  # by port it is `max_ports`
            settings["max_streams"] = 8
        async with ends(way, **settings) as both:
            await check(both)

    run(main())


@pytest.mark.slow
def test_a_long_conversation_goes_by_port_and_leaves_no_port_behind() -> None:
    async def main() -> None:
        far_end = FarEnd()

        async def handle(connection: portmux.PortConnection) -> None:
            await far_end.handle(cast(fastmux.Connection, connection))

        async with portmux.listen(handle, HOST, 0, tls=PLAINTEXT, max_ports=8) as server:
            connection = await portmux.connect(HOST, server.port, tls=PLAINTEXT, max_ports=8)
            last_words = await exercise(cast(fastmux.Connection, connection))
            await until(lambda: server.ports_in_use == 0 and not server.connections)
            assert connection.ports == ()
        assert far_end.last_words == [last_words]
        assert far_end.endings == ["without an error"]

    run(main())
