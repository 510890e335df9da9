"""Streams on trio pass trio's own checks, and say what ended them."""

from __future__ import annotations

from typing import cast

import pytest
import trio
import trio.testing

from fastmux.aio.settings import Settings
from fastmux.exceptions import ChannelReset, ConnectionClosed
from fastmux.trio import Stream
from on_trio.pair import Pair, on_trio, pair

SMALL: Settings = {"write_limit": 10_000, "channel_window": 65536, "max_channel_window": 65536}


async def clogged(ends: Pair) -> tuple[Stream, Stream]:
    """A pair of which neither end can send: the windows and the write limits are used up."""
    mine, theirs = await ends.stream()
    for end in (mine, theirs):
        await end.send_all(bytes(65536 + 10_000))
    await trio.sleep(1)
    assert not mine.inner.has_room()
    assert not theirs.inner.has_room()
    return mine, theirs


@on_trio
async def test_trios_check_of_two_way_streams_passes() -> None:
    async with pair(**SMALL) as ends:
        await trio.testing.check_two_way_stream(ends.stream, lambda: clogged(ends))


@on_trio
async def test_trios_check_of_half_closeable_streams_passes() -> None:
    async with pair(**SMALL) as ends:
        await trio.testing.check_half_closeable_stream(ends.stream, lambda: clogged(ends))


@on_trio
async def test_a_stream_has_the_label_and_the_number_of_its_channel() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream("greeting")
        assert theirs.label == "greeting"
        assert mine.id == theirs.id == mine.inner.id
        assert "greeting" in repr(theirs)
        async with mine, theirs:
            await mine.send_all(b"hello")
            await mine.wait_delivered()
            assert await theirs.receive_some() == b"hello"


@on_trio
async def test_a_peer_that_takes_no_more_is_heard_of_without_sending() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        async with mine:
            with trio.move_on_after(0.01) as patience:
                await mine.wait_stopped()
            assert patience.cancelled_caught
            await theirs.aclose()
            await mine.wait_stopped()
        with pytest.raises(trio.ClosedResourceError):
            await mine.wait_stopped()


@on_trio
async def test_a_reset_is_no_end_and_its_code_is_the_cause() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        mine.reset(99)
        with pytest.raises(trio.BrokenResourceError) as caught:
            await theirs.receive_some()
        assert cast(ChannelReset, caught.value.__cause__).code == 99
        await theirs.aclose()


@on_trio
async def test_the_end_of_the_connection_breaks_its_streams() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        async with trio.open_nursery() as nursery:

            async def receive() -> None:
                with pytest.raises(trio.BrokenResourceError) as caught:
                    await mine.receive_some()
                assert isinstance(caught.value.__cause__, ConnectionClosed)

            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            ends.server.abort(8, "away")
        with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):
            await theirs.send_all(b"x")
        await mine.aclose()
        await theirs.aclose()


@on_trio
async def test_a_cancelled_receive_loses_nothing() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        sent = bytes(range(256)) * 20
        received = bytearray()
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                for start in range(0, len(sent), 100):
                    await mine.send_all(sent[start : start + 100])
                    await trio.sleep(0.001)

            nursery.start_soon(send)
            while len(received) < len(sent):
                with trio.move_on_after(0.0007):
                    received += await theirs.receive_some(64)
        assert received == sent
        await mine.aclose()
        await theirs.aclose()


@on_trio
async def test_a_sender_waits_while_the_peer_does_not_read() -> None:
    async with pair(**SMALL) as ends:
        mine, theirs = await ends.stream()
        sent = 0
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                nonlocal sent
                for _ in range(100):
                    await mine.send_all(bytes(10_000))
                    sent += 10_000
                await mine.send_eof()

            nursery.start_soon(send)
            await trio.sleep(5)
            assert sent <= 65536 + 20_000
            received = 0
            while chunk := await theirs.receive_some():
                received += len(chunk)
        assert received == 1_000_000
        await mine.aclose()
        await theirs.aclose()
