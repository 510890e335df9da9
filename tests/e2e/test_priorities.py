"""What is urgent goes before everything that is less so, over real sockets and TLS."""

from __future__ import annotations

import pytest

import fastmux
from e2e.conversation import MIB, payload
from e2e.support import LoopFactory, run
from fastmux import core
from fastmux.aio.settings import Settings

pytestmark = pytest.mark.slow

STREAMS = 10
SIZE = MIB // 4 if core.IMPLEMENTATION == "python" else 2 * MIB  # of each stream, and of all messages
MESSAGES = 200
BULK = 64  # the priority of the streams: level 2
# Readers that a slow machine wakes late, and what was lost and came again, blur the order of arrival: one
# race of several has to show it. Channels that took turns would never show it.
RACES = 5
# No credit and no room is waited for: it is the order alone that tells when something goes.
SETTINGS: Settings = {"channel_window": 4 * MIB, "connection_window": 32 * MIB, "write_limit": 4 * MIB}


class FarEnd:
    """Counts bytes of streams and messages; notes how far the streams were when the last message came."""

    def __init__(self) -> None:
        self.stream_size = 0
        self.messages = 0
        self.stream_size_at_last_message = -1

    async def handle(self, conn: fastmux.Connection) -> None:
        """Serve one connection."""
        await conn.serve(self._take)

    async def _take(self, channel: fastmux.Stream | fastmux.MessageChannel) -> None:
        if isinstance(channel, fastmux.MessageChannel):
            async for _ in channel:
                self.messages += 1
                self.stream_size_at_last_message = self.stream_size
        else:
            async for data in channel:
                self.stream_size += len(data)
        await channel.send(b"done")


async def _send(tls: tuple[fastmux.TLSConfig, fastmux.TLSConfig], *, set_later: bool) -> FarEnd:
    """Give bulk and then messages to one connection, all in one turn of the loop; wait until all has come.

    The streams are less urgent from the start, or are made so after everything was given.
    """
    far_end = FarEnd()
    async with (
        fastmux.listen(far_end.handle, "127.0.0.1", 0, tls=tls[0], **SETTINGS) as server,
        fastmux.connect("127.0.0.1", server.port, tls=tls[1], **SETTINGS) as conn,
    ):
        streams = [await conn.open_stream(priority=0 if set_later else BULK) for _ in range(STREAMS)]
        channel = await conn.open_message_channel()
        data, message = payload(SIZE), payload(SIZE // MESSAGES)
        for stream in streams:
            await stream.send(data)
            await stream.send_eof()
        for _ in range(MESSAGES):
            channel.send_nowait(message)
        await channel.send_eof()
        if set_later:
            for stream in streams:
                stream.priority = BULK
        ends: list[fastmux.Stream | fastmux.MessageChannel] = [channel, *streams]
        for end in ends:
            assert await end.receive() == b"done"
            await end.aclose()
    return far_end


@pytest.mark.parametrize("set_later", [False, True])
def test_messages_overtake_the_less_urgent_streams_that_were_given_before_them(
    server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig, loop_factory: LoopFactory, set_later: bool
) -> None:
    far_end = run(_send((server_tls, client_tls), set_later=set_later), loop_factory)
    assert (far_end.messages, far_end.stream_size) == (MESSAGES, STREAMS * SIZE)
    # In turns with the streams the messages would be through when nearly all of everything is.
    assert far_end.stream_size_at_last_message < STREAMS * SIZE // 10


async def _race(tls: tuple[fastmux.TLSConfig, fastmux.TLSConfig], priorities: list[int]) -> list[int]:
    """In which order streams of these priorities, begun together, are through."""
    through: list[int] = []

    async def handle(conn: fastmux.Connection) -> None:
        await conn.serve(take)

    async def take(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
        async for _ in channel:
            pass
        through.append(channel.priority)

    async with (
        fastmux.listen(handle, "127.0.0.1", 0, tls=tls[0], **SETTINGS) as server,
        fastmux.connect("127.0.0.1", server.port, tls=tls[1], **SETTINGS) as conn,
    ):
        streams = [await conn.open_stream(priority=priority) for priority in priorities]
        data = payload(SIZE)
        for stream in streams:
            await stream.send(data)
            await stream.send_eof()
        for stream in streams:
            await stream.wait_delivered()
            await stream.aclose()
    return through


def test_streams_are_through_in_the_order_of_their_levels_and_weights(
    server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig, loop_factory: LoopFactory
) -> None:
    priorities = [255, 96, 64 + 24, 64, 0]
    races: list[list[int]] = []
    while len(races) < RACES and sorted(priorities) not in races:
        races.append(run(_race((server_tls, client_tls), priorities), loop_factory))
    assert sorted(priorities) in races


def test_nothing_waits_for_an_urgent_stream_that_has_nothing_to_send(
    server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig
) -> None:
    async def main() -> None:
        received: list[int] = []

        async def handle(conn: fastmux.Connection) -> None:
            await conn.serve(take)

        async def take(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
            received.append(sum([len(data) async for data in channel]))

        window = 128 * 1024
        async with (
            fastmux.listen(handle, "127.0.0.1", 0, tls=server_tls, connection_window=window) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls) as conn,
        ):
            urgent = await conn.open_stream(priority=0)
            bulk = await conn.open_stream(priority=255)
            await bulk.send(payload(4 * SIZE))
            await bulk.send_eof()
            await bulk.wait_delivered()
            await urgent.aclose()
            await bulk.aclose()
        assert 4 * SIZE in received

    run(main())
