"""The connection on trio: channels, tasks for them, datagrams, ends."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

from fastmux import constants as c
from fastmux.exceptions import ChannelReset, ConnectionClosed
from fastmux.trio import Connection, MessageChannel, Stream
from on_trio.pair import on_trio, pair, world


@on_trio
async def test_channels_of_both_kinds_are_opened_and_accepted() -> None:
    async with pair() as ends:
        for near, far in ((ends.client, ends.server), (ends.server, ends.client)):
            async with await near.open_stream("s", priority=3) as stream, await far.accept() as accepted:
                assert isinstance(accepted, Stream)
                assert (accepted.label, accepted.inner.priority) == ("s", 3)
                assert stream.id == accepted.id
            channel = await near.open_message_channel("m", ordered=False, max_retransmits=2)
            async with channel, await far.accept() as messages:
                assert isinstance(messages, MessageChannel)
                assert not messages.inner.ordered
                assert not messages.inner.reliable


@on_trio
async def test_openers_wait_at_the_peers_limit() -> None:
    async with pair(max_streams=1) as ends:
        first, theirs = await ends.stream()
        with trio.move_on_after(5) as scope:
            await ends.client.open_stream()
        assert scope.cancelled_caught
        await first.aclose()
        await theirs.aclose()
        second = await ends.client.open_stream()
        await second.aclose()


@on_trio
async def test_serve_runs_a_task_for_each_channel_and_an_error_concerns_its_own_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handle(channel: Stream | MessageChannel) -> None:
        assert isinstance(channel, Stream)
        if channel.label == "bad":
            raise ValueError("I do not like it")
        async for chunk in channel:
            await channel.send_all(chunk)

    async with pair() as ends, trio.open_nursery() as nursery:
        nursery.start_soon(ends.server.serve, handle)
        good, bad = await ends.client.open_stream("good"), await ends.client.open_stream("bad")
        with caplog.at_level(logging.ERROR), pytest.raises(trio.BrokenResourceError) as caught:
            await bad.receive_some()
        assert isinstance(caught.value.__cause__, ChannelReset)
        assert caught.value.__cause__.code == c.INTERNAL
        assert "I do not like it" in caplog.text
        await good.send_all(b"still here")
        assert await good.receive_some() == b"still here"
        await good.aclose()
        await bad.aclose()
        await ends.client.aclose()


@on_trio
async def test_serve_raises_how_the_connection_ended_and_resets_when_cancelled() -> None:
    async def handle(channel: Stream | MessageChannel) -> None:
        await trio.sleep_forever()

    async with pair() as ends:
        with trio.move_on_after(3):
            stream = await ends.client.open_stream()
            await ends.server.serve(handle)
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        await stream.aclose()
        ends.client.abort(8, "away")
        with pytest.raises(ConnectionClosed, match="away"):
            await ends.server.serve(handle)


@on_trio
async def test_iteration_ends_with_a_clean_end_only() -> None:
    async with pair() as ends:
        await ends.client.aclose()
        assert [channel async for channel in ends.server] == []
        assert [channel async for channel in ends.client] == []
    async with pair() as ends:
        ends.client.abort(8, "away")
        with pytest.raises(ConnectionClosed):
            [channel async for channel in ends.server]


@on_trio
async def test_datagrams_pings_and_figures() -> None:
    async with pair() as ends:
        assert ends.client.send_datagram(b"hello")
        assert await ends.server.receive_datagram() == b"hello"
        assert await ends.client.ping() == pytest.approx(0.01, abs=0.005)
        assert ends.client.stats.packets_received > 0
        assert ends.client.get_extra_info("peername") == ("server", 4433)
        assert ends.client.peer.pin == ""
        assert not ends.client.is_closed
        assert "client" in repr(ends.client)
        ends.client.close()
        with pytest.raises(trio.ClosedResourceError):
            ends.client.send_datagram(b"too late")
        await ends.client.wait_closed()
        await ends.server.wait_closed()
        assert ends.client.is_closed


@on_trio
async def test_a_graceful_close_delivers_and_a_time_limit_ends_it() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await mine.send_all(bytes(50_000))
        await mine.send_eof()
        with trio.testing.assert_checkpoints():
            await ends.client.aclose()
        received = 0
        while chunk := await theirs.receive_some():
            received += len(chunk)
        assert received == 50_000
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await mine.send_all(bytes(5_000_000))
        started = trio.current_time()
        await ends.client.aclose(timeout=3)
        assert trio.current_time() - started == pytest.approx(3, abs=0.1)


@on_trio
async def test_a_block_that_fails_aborts_its_connection() -> None:
    seen: list[int] = []

    async def watch(connection: Connection) -> None:
        await connection.wait_closed()
        with pytest.raises(ConnectionClosed) as caught:
            await connection.ping()
        seen.append(caught.value.code)

    async with world(watch) as w:
        with pytest.raises(KeyError):
            async with await w.connect() as connection:
                raise KeyError
        assert connection.is_closed
    assert seen == [c.CANCELLED]


@on_trio
async def test_a_dropped_stream_is_given_back() -> None:
    import gc

    async with pair() as ends:
        mine, theirs = await ends.stream()
        with pytest.warns(ResourceWarning, match="dropped unclosed"):
            del mine
            gc.collect()
        with pytest.raises(trio.BrokenResourceError):
            await theirs.receive_some()
        await theirs.aclose()
