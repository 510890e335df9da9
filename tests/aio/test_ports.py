"""Which streams go to a `create_server`, and which to whoever accepts."""

from __future__ import annotations

import asyncio

import pytest

from aio.pair import Pair, pair
from aio.recording_protocol import Recording
from aio.virtual_loop import settle, virtual
from fastmux import constants as c
from fastmux.exceptions import ChannelReset, ClosedResourceError, ConnectionClosed


class Named(Recording):
    """Says its name to whoever connects."""

    def __init__(self, name: bytes) -> None:
        super().__init__()
        self.name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(self.name)
        self.transport.close()


async def serve(ends: Pair, name: str, host: str | None, port: int | None) -> None:
    await ends.server.create_server(lambda: Named(name.encode()), host, port)


async def ask(ends: Pair, host: str, port: int) -> str:
    """Which server answers at a place."""
    _, protocol = await ends.client.create_connection(Recording, host, port)
    await protocol.lost.wait()
    return protocol.data.decode()


@virtual
async def test_a_stream_finds_the_server_of_its_place() -> None:
    async with pair() as ends:
        await serve(ends, "ssh", "host", 22)
        await serve(ends, "web", "host", 80)
        await serve(ends, "v6", "::1", 22)
        await serve(ends, "any host", None, 9000)
        await serve(ends, "the rest", "*", None)
        assert await ask(ends, "host", 22) == "ssh"
        assert await ask(ends, "HOST", 80) == "web"
        assert await ask(ends, "0:0::1", 22) == "v6"
        assert await ask(ends, "whoever", 9000) == "any host"
        assert await ask(ends, "whoever", 1) == "the rest"


@virtual
async def test_a_place_is_served_once_at_a_time() -> None:
    async with pair() as ends:
        server = await ends.server.create_server(Recording, "host", 22)
        with pytest.raises(OSError, match="host port 22 is served already"):
            await serve(ends, "again", "host", 22)
        server.close()
        await serve(ends, "again", "host", 22)
        assert await ask(ends, "host", 22) == "again"


@virtual
async def test_a_place_that_nobody_serves_is_refused_where_nobody_accepts() -> None:
    async with pair() as ends:
        await serve(ends, "ssh", "host", 22)
        stream = await ends.client.open_stream("fastmux:tcp:host:23")
        with pytest.raises(ChannelReset) as caught:
            await stream.receive()
        assert caught.value.code == c.REFUSED
        await stream.aclose()
        with pytest.raises(ConnectionRefusedError, match="other port 22: .* does not know"):
            await ends.client.create_connection(Recording, "other", 22)


@virtual
async def test_whoever_accepts_gets_everything_that_no_server_takes() -> None:
    async with pair() as ends:
        incoming: list[str] = []
        accepting = asyncio.create_task(ends.server.accept())
        await settle()
        await serve(ends, "ssh", "host", 22)
        for label in ("chat", "fastmux:tcp:host:23", "fastmux:udp:host:22"):
            stream = await ends.client.open_stream(label)
            channel = await accepting
            incoming.append(channel.label)
            await channel.aclose()
            await stream.aclose()
            accepting = asyncio.create_task(ends.server.accept())
        messages = await ends.client.open_message_channel("fastmux:tcp:host:22")
        channel = await accepting
        incoming.append(channel.label)
        await channel.aclose()
        await messages.aclose()
        assert incoming == ["chat", "fastmux:tcp:host:23", "fastmux:udp:host:22", "fastmux:tcp:host:22"]
        assert await ask(ends, "host", 22) == "ssh"


@virtual
async def test_other_streams_wait_for_accept_though_there_is_a_server() -> None:
    async with pair() as ends:
        await serve(ends, "ssh", "host", 22)
        stream = await ends.client.open_stream("chat")
        await asyncio.sleep(1)
        channel = await ends.server.accept()
        assert channel.label == "chat"
        await channel.aclose()
        await stream.aclose()


@virtual
async def test_streams_that_came_before_their_servers_are_not_lost() -> None:
    async with pair() as ends:
        asking = [asyncio.create_task(ask(ends, "host", port)) for port in (22, 80)]
        refused = asyncio.create_task(ask(ends, "host", 81))
        await asyncio.sleep(1)
        await serve(ends, "ssh", "host", 22)
        await serve(ends, "web", "host", 80)
        assert [await task for task in asking] == ["ssh", "web"]
        with pytest.raises(ConnectionRefusedError):
            await refused


@virtual
async def test_a_thousand_refused_streams_leave_nothing_behind() -> None:
    async with pair(max_streams=10) as ends:
        await serve(ends, "ssh", "host", 22)
        for port in range(1000, 2000):
            with pytest.raises(ConnectionRefusedError):
                await ends.client.create_connection(Recording, "host", port)
        await asyncio.sleep(1)
        assert ends.server.stats.channel_count == ends.client.stats.channel_count == 0


@virtual
async def test_a_connection_that_is_over_serves_nothing() -> None:
    async with pair() as ends:
        await ends.server.create_server(Recording, "host", 22)
        ends.client.abort(8, "away")
        await ends.server.wait_closed()
        with pytest.raises(ConnectionClosed):
            await ends.server.create_server(Recording, "host", 23)
        with pytest.raises((ConnectionClosed, ClosedResourceError)):
            await ends.client.create_server(Recording, "host", 23)


@virtual
async def test_a_place_is_the_same_however_it_is_spelled() -> None:
    async with pair() as ends:
        for host, port in ((None, 80), ("Host", 81), ("0:0::1", 82)):
            await serve(ends, "first", host, port)
        for host, port in (("*", 80), ("0.0.0.0", 80), ("host.", 81), ("::1", 82)):
            with pytest.raises(OSError, match="is served already"):
                await serve(ends, "again", host, port)
