"""A server's sockets: bound where it was asked, shared with those who ask for it, freed at its end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import pytest

from aio.conftest import LoopFactory
from fastmux import PLAINTEXT, connect, listen
from fastmux.aio.connection import Connection
from fastmux.aio.stream import Stream
from fastmux.aio.worker_group import WorkerPlace, bind_group
from fastmux.protocol.connection_ids import worker_of
from fastmux.protocol.routable_ids import RoutableIds

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="groups are of Linux")


async def wait(connection: Connection) -> None:
    await connection.wait_closed()


def test_a_server_on_real_sockets_serves_and_frees_its_port(loop_factory: LoopFactory) -> None:
    async def echo(connection: Connection) -> None:
        async def run(channel: object) -> None:
            assert isinstance(channel, Stream)
            async for chunk in channel:
                await channel.send(chunk)

        await connection.serve(run)

    async def main() -> None:
        async with listen(echo, "127.0.0.1", 0, tls=PLAINTEXT) as server:
            port = server.port
            assert server.sockets == (("127.0.0.1", port),)
            async with connect("127.0.0.1", port, tls=PLAINTEXT) as connection:
                stream = await connection.open_stream()
                await stream.send(b"z" * 300_000)
                await stream.send_eof()
                assert sum([len(chunk) async for chunk in stream]) == 300_000
                await stream.aclose()
            assert server.counters()["accepted"] == 1
        again = await listen(echo, "127.0.0.1", port, tls=PLAINTEXT)
        assert again.port == port
        again.close()
        await again.wait_closed()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_a_name_with_two_addresses_is_served_on_both(
    loop_factory: LoopFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        found = [
            (2, 2, 17, "", ("127.0.0.1", 0)),
            (2, 2, 17, "", ("127.0.0.2", 0)),
        ]

        async def getaddrinfo(*args: object, **kwargs: object) -> object:
            return found

        listener = listen(wait, "both.example", 0, tls=PLAINTEXT)
        with monkeypatch.context() as patch:
            patch.setattr(type(loop), "getaddrinfo", lambda self, *args, **kwargs: getaddrinfo())
            server = await listener
        assert [address[0] for address in server.sockets] == ["127.0.0.1", "127.0.0.2"]
        assert {address[1] for address in server.sockets} == {server.port}
        async with connect("127.0.0.2", server.port, tls=PLAINTEXT) as connection:
            assert await connection.ping() > 0
        server.close()
        await server.wait_closed()

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(main())


def test_an_address_that_cannot_be_bound_is_an_error_when_awaited(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="assign"):
            await listen(wait, "192.0.2.1", 0, tls=PLAINTEXT)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="no SO_REUSEPORT")
def test_a_port_is_shared_only_among_those_who_ask_for_it(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        server = await listen(wait, "127.0.0.1", 0, tls=PLAINTEXT, reuse_port=True)
        other = await listen(wait, "127.0.0.1", server.port, tls=PLAINTEXT, reuse_port=True)
        with pytest.raises(OSError, match="in use"):
            await listen(wait, "127.0.0.1", server.port, tls=PLAINTEXT)
        async with connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection:
            assert await connection.ping() > 0
        assert server.counters()["accepted"] + other.counters()["accepted"] == 1
        for each in (server, other):
            each.close()
            await each.wait_closed()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_where_ports_cannot_be_shared_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
    with pytest.raises(ValueError, match="reuse_port"):
        listen(wait, "127.0.0.1", 0, tls=PLAINTEXT, reuse_port=True)


@linux_only
def test_each_worker_of_a_group_issues_ids_that_come_back_to_it(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        places = bind_group("127.0.0.1", 0, 3)
        ids = RoutableIds(b"\x07", size=10)
        servers = [
            await listen(wait, worker=place, tls=PLAINTEXT, close_timeout=0, connection_ids=ids)
            for place in places
        ]
        assert {server.port for server in servers} == {places[0].port}
        connections = [await connect("127.0.0.1", places[0].port, tls=PLAINTEXT) for _ in range(30)]
        for connection in connections:
            assert await connection.ping() > 0
        for place, server in zip(places, servers, strict=True):
            assert server.connections
            assert server.counters()["stray"] == 0
            for accepted in server.connections:
                local = accepted._connection.ids.local
                assert worker_of(local, 3) == place.index
                assert ids.server_of(local) == b"\x07"
        for connection in connections:
            connection.abort()
        for server in servers:
            server.close()
            await server.wait_closed()
        for place in places:
            with place:
                assert place.sockets[0].fileno() >= 0  # its owner's to close

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@linux_only
def test_a_place_that_cannot_be_opened_leaves_nothing_open(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        (place,) = bind_group("127.0.0.1", 0, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
            closed.close()
            before = len(os.listdir("/proc/self/fd"))
            with pytest.raises(OSError, match="descriptor") as caught:
                await listen(wait, worker=WorkerPlace(0, 1, (*place.sockets, closed)), tls=PLAINTEXT)
            assert caught.tb is not None  # what a frame holds is not closed for want of a name
            assert len(os.listdir("/proc/self/fd")) == before
        place.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_a_place_and_an_address_exclude_each_other_and_one_is_needed() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        place = WorkerPlace(0, 1, (sock,))
        for host, port, reuse_port in (("127.0.0.1", None, False), (None, 0, False), (None, None, True)):
            with pytest.raises(ValueError, match="bound already"):
                listen(wait, host, port, worker=place, tls=PLAINTEXT, reuse_port=reuse_port)
    with pytest.raises(ValueError, match="needs a port"):
        listen(wait, "127.0.0.1", tls=PLAINTEXT)
