"""`fastmux.trio.listen` runs a handler for each connection and ends in good order."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
import trio.testing

from fastmux import PLAINTEXT
from fastmux import constants as c
from fastmux.exceptions import ConnectionClosed, HandshakeError
from fastmux.trio import Connection, Server, Stream, connect, listen
from on_trio.pair import on_trio, world


async def wait(connection: Connection) -> None:
    await connection.wait_closed()


async def code_of_end(connection: Connection) -> int:
    await connection.wait_closed()
    with pytest.raises(ConnectionClosed) as caught:
        await connection.ping()
    return caught.value.code


@on_trio
async def test_every_connection_has_a_task_of_its_own_and_is_closed_when_it_ends() -> None:
    async def greet(connection: Connection) -> None:
        stream = await connection.open_stream()
        await stream.send_all(b"welcome")
        await stream.aclose()

    async with world(greet) as w:
        for _ in range(3):
            client = await w.connect()
            stream = await client.accept()
            assert isinstance(stream, Stream)
            assert await stream.receive_some() == b"welcome"
            assert await code_of_end(client) == c.NO_ERROR
        await trio.sleep(1)
        assert w.server.connections == ()


@on_trio
async def test_a_handler_that_fails_is_logged_and_its_connection_closed_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = True

    async def fussy(connection: Connection) -> None:
        nonlocal first
        if first:
            first = False
            raise ValueError("I do not like it")
        await connection.wait_closed()

    async with world(fussy) as w:
        with caplog.at_level(logging.ERROR):
            assert await code_of_end(await w.connect()) == c.INTERNAL
        assert "I do not like it" in caplog.text
        client = await w.connect()
        await client.ping()
        await client.aclose()


@on_trio
async def test_a_handler_whose_connection_ended_did_no_wrong(caplog: pytest.LogCaptureFixture) -> None:
    async def accept(connection: Connection) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.accept)
            nursery.start_soon(connection.receive_datagram)

    with caplog.at_level(logging.INFO):
        async with world(accept) as w:
            client = await w.connect()
            client.abort(8, "away")
            await trio.sleep(1)
    assert caplog.text == ""


@on_trio
async def test_handlers_get_time_to_finish_and_no_more() -> None:
    ended: list[str] = []

    async def quick(connection: Connection) -> None:
        await trio.sleep(3)
        ended.append("quick")

    async def slow(connection: Connection) -> None:
        try:
            await trio.sleep(1000)
        finally:
            ended.append("slow")

    for handler in (quick, slow):
        started = trio.current_time()
        async with world(handler, close_timeout=5) as w:
            client = await w.connect()
        assert trio.current_time() - started < 6
        assert ended[-1] == handler.__name__
        assert await code_of_end(client) == (c.NO_ERROR if handler is quick else c.CANCELLED)


@on_trio
async def test_a_closing_server_refuses_newcomers() -> None:
    async with world(wait) as w:
        w.server.close()
        await w.server.serve_forever()
        with pytest.raises((HandshakeError, ConnectionClosed)):
            client = await w.connect()
            await client.ping()


def test_the_error_of_a_block_is_not_wrapped_and_cancels_handlers() -> None:
    servers: list[Server] = []

    async def main() -> None:
        with pytest.raises(KeyError):
            async with listen(wait, "127.0.0.1", 0, tls=PLAINTEXT, close_timeout=0.01) as server:
                servers.append(server)
                assert server.sockets == (("127.0.0.1", server.port),)
                connection = await connect("127.0.0.1", server.port, tls=PLAINTEXT)
                raise KeyError
        assert server.sockets == ()
        await connection.wait_closed()

    trio.run(main)
    assert "0 connections" in repr(servers[0])


def test_a_listening_block_can_be_cancelled() -> None:
    async def main() -> None:
        with trio.move_on_after(0.2):
            async with listen(wait, "127.0.0.1", 0, tls=PLAINTEXT) as server:
                await server.serve_forever()
        assert server.sockets == ()

    trio.run(main)


def test_all_addresses_of_a_host_share_one_port() -> None:
    async def main() -> None:
        async with listen(wait, None, 0, tls=PLAINTEXT) as server:
            assert {address[1] for address in server.sockets} == {server.port}

    trio.run(main)


@on_trio
async def test_it_counts_as_the_server_of_asyncio_does() -> None:
    async with world(wait) as w:
        first = await w.connect()
        await first.ping()
        during = w.server.totals()
        assert (during["connections"], len(w.server.connections)) == (1, 1)
        await first.aclose()
        await trio.sleep(5)
        after = w.server.totals()
        assert w.server.connections == ()
        assert after["connections"] == 1
        assert after["packets_received"] >= during["packets_received"] > 0
        assert w.server.counters()["accepted"] == 1


@on_trio
async def test_prometheus_collects_servers_and_connections_of_trio_too() -> None:
    library: Any = pytest.importorskip("prometheus_client")
    from fastmux.prometheus import Collector

    registry = library.CollectorRegistry()
    async with world(wait) as w:
        client = await w.connect()
        registry.register(Collector(w.server, client))
        assert registry.get_sample_value("fastmux_connections_open", {"identity": "anonymous"}) == 2
        client.abort()
        await trio.sleep(5)
        assert registry.get_sample_value("fastmux_connections_open", {"identity": "anonymous"}) is None
        assert registry.get_sample_value("fastmux_connections_total", {}) == 2
        assert registry.get_sample_value("fastmux_endpoint_events_total", {"event": "accepted"}) == 1
