"""The peer's streams as a trio listener."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from fastmux import constants as c
from fastmux.exceptions import ChannelReset, ConnectionClosed
from fastmux.trio import Stream
from on_trio.pair import on_trio, pair


@on_trio
async def test_trio_serves_the_streams_of_a_connection() -> None:
    async def shout(stream: Stream) -> None:
        async with stream:
            async for chunk in stream:
                await stream.send_all(chunk.upper())

    async with pair() as ends, trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, shout, [ends.server.listener()])
        for number in range(3):
            stream = await ends.client.open_stream(str(number))
            await stream.send_all(b"hello")
            await stream.send_eof()
            assert await stream.receive_some() == b"HELLO"
            assert await stream.receive_some() == b""
            await stream.aclose()
        nursery.cancel_scope.cancel()


@on_trio
async def test_message_channels_are_refused_by_a_listener_of_streams() -> None:
    async with pair() as ends:
        messages = await ends.client.open_message_channel()
        stream = await ends.client.open_stream("stream")
        accepted = await ends.server.listener().accept()
        assert accepted.label == "stream"
        with pytest.raises(trio.BrokenResourceError) as caught:
            await messages.receive()
        assert isinstance(caught.value.__cause__, ChannelReset)
        assert caught.value.__cause__.code == c.REFUSED
        for resource in (messages, stream, accepted):
            await resource.aclose()


@on_trio
async def test_a_closed_listener_wakes_who_accepts_and_leaves_the_connection() -> None:
    async with pair() as ends:
        listener = ends.server.listener()

        async def accept() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await listener.accept()
            await listener.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await listener.accept()
        await listener.aclose()
        mine, theirs = await ends.stream()
        await mine.aclose()
        await theirs.aclose()


@on_trio
async def test_the_end_of_the_connection_ends_accepting() -> None:
    async with pair() as ends:
        ends.client.abort(8, "away")
        with pytest.raises(ConnectionClosed, match="away"):
            await ends.server.listener().accept()
        with pytest.raises(trio.ClosedResourceError):
            await ends.client.listener().accept()
