"""A server of streams: accepts, counts who is there, and ends like asyncio's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aio.pair import pair
from aio.recording_protocol import Recording
from aio.virtual_loop import settle, virtual
from fastmux.exceptions import ConnectionClosed


@virtual
async def test_every_stream_gets_a_protocol_of_its_own_and_the_server_waits_for_them() -> None:
    made: list[Recording] = []

    def factory() -> Recording:
        made.append(Recording())
        return made[-1]

    async with pair() as ends:
        server = await ends.server.create_server(factory, "host", 80)
        assert server.is_serving()
        assert server.sockets == ()
        assert server.get_addresses() == [("host", 80)]
        assert server.get_port() == 80
        assert server.get_loop() is asyncio.get_running_loop()
        await server.start_serving()
        clients = [(await ends.client.create_connection(Recording, "host", 80))[0] for _ in range(3)]
        assert len(made) == 3
        assert "3 streams" in repr(server)
        server.close()
        server.close()
        assert not server.is_serving()
        waiting = asyncio.create_task(server.wait_closed())
        with pytest.raises(ConnectionRefusedError):
            await ends.client.create_connection(Recording, "host", 80)
        clients[0].write(b"goes on")
        await made[0].until(7)
        assert not waiting.done()
        for client in clients:
            client.close()
        await waiting
        assert [protocol.error for protocol in made] == [None] * 3


@virtual
async def test_clients_can_be_closed_or_aborted_together() -> None:
    async with pair() as ends:
        for is_abort in (False, True):
            async with await ends.server.create_server(Recording, "host", 80) as server:
                _, client = await ends.client.create_connection(Recording, "host", 80)
                if is_abort:
                    server.abort_clients()
                else:
                    server.close_clients()
                await client.lost.wait()
                assert (client.error is None) is not is_abort


@virtual
async def test_serve_forever_returns_when_the_server_closes_and_closes_it_when_cancelled() -> None:
    async with pair() as ends:
        server = await ends.server.create_server(Recording, "host", 80)
        serving = asyncio.create_task(server.serve_forever())
        await settle()
        server.close()
        await serving
        server = await ends.server.create_server(Recording, "host", 80)
        serving = asyncio.create_task(server.serve_forever())
        await settle()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert not server.is_serving()


@virtual
async def test_the_end_of_the_connection_ends_the_server() -> None:
    async with pair() as ends:
        server = await ends.server.create_server(Recording, "host", 80)
        serving = asyncio.create_task(server.serve_forever())
        await settle()
        ends.client.abort(8, "away")
        with pytest.raises(ConnectionClosed, match="away"):
            await serving
        await server.wait_closed()
    async with pair() as ends:
        server = await ends.server.create_server(Recording, "host", 80)
        serving = asyncio.create_task(server.serve_forever())
        await settle()
        await ends.client.aclose()
        await serving


@virtual
async def test_a_factory_that_needs_an_address_gets_the_peers() -> None:
    origins: list[tuple[str, int]] = []

    def factory(host: str, port: int) -> Recording:
        origins.append((host, port))
        return Recording()

    async with pair() as ends:
        await ends.server.create_server(factory, "host", 80)
        await ends.client.create_connection(Recording, "host", 80)
        assert origins == [("client-1", 4433)]


@virtual
async def test_a_factory_that_fails_is_reported_and_its_stream_refused() -> None:
    def factory() -> Recording:
        raise KeyError("no protocol today")

    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with pair() as ends:
        server = await ends.server.create_server(factory, "host", 80)
        with pytest.raises(ConnectionRefusedError, match="failed"):
            await ends.client.create_connection(Recording, "host", 80)
        assert isinstance(told[0]["exception"], KeyError)
        assert server.is_serving()


@virtual
async def test_a_stream_whose_opener_is_gone_makes_no_protocol() -> None:
    def factory() -> Recording:
        raise AssertionError("nobody is there")

    async with pair() as ends:
        server = await ends.server.create_server(factory, "host", 80)
        stream = await ends.client.open_stream("fastmux:tcp:host:80")
        stream.reset()
        await asyncio.sleep(1)
        server.close()
        await server.wait_closed()
