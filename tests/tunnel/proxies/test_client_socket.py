"""A client's socket: nothing that it sends is lost, and its end says whether that was all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from aio.conftest import LoopFactory
from aio.virtual_loop import settle, virtual
from fastmux.tunnel import constants as c
from fastmux.tunnel.proxies.client_socket import ClientSocket
from tunnel.proxies.world import tcp_pair


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[socket.socket, ClientSocket]]:
    mine, theirs = tcp_pair()
    client = ClientSocket(theirs, "127.0.0.1")
    try:
        yield mine, client
    finally:
        await client.reset()
        mine.close()


@virtual
async def test_a_watch_that_is_given_up_loses_nothing() -> None:
    async with connected() as (mine, client):
        for at in range(20):
            watching = asyncio.create_task(client.watch())
            await settle(at % 5)
            mine.send(b"%d" % (at % 10))
            await settle(at % 7)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            if watching.cancelled():
                assert await client.receive() == b"%d" % (at % 10)
            else:
                assert watching.result() == b"%d" % (at % 10)


@virtual
async def test_whoever_takes_it_gets_what_was_read_meanwhile() -> None:
    async with connected() as (mine, client):
        watching = asyncio.create_task(client.watch())
        await settle()
        watching.cancel()
        await settle()
        mine.send(b"early")
        await settle()
        end, early = await client.take()
        assert early == b"early"
        mine.send(b"late")
        assert await end.receive(100) == b"late"


@virtual
async def test_a_taken_socket_gives_what_comes_while_nobody_reads() -> None:
    async with connected() as (mine, client):
        watching = asyncio.create_task(client.watch())
        await settle()
        watching.cancel()
        await settle()
        end, early = await client.take()
        assert early == b""
        mine.send(b"late")
        assert await end.receive(100) == b"late"


@virtual
async def test_lingering_lets_the_answer_arrive_before_the_end() -> None:
    async with connected() as (mine, client):
        mine.send(bytes(100_000))
        await client.send(b"no")
        lingering = asyncio.create_task(client.linger())
        await settle()
        assert mine.recv(100) == b"no"
        assert mine.recv(100) == b""
        mine.shutdown(socket.SHUT_WR)
        await lingering


@virtual
async def test_lingering_ends_for_a_client_that_does_not() -> None:
    async with connected() as (_, client):
        started = asyncio.get_running_loop().time()
        await client.linger()
        assert asyncio.get_running_loop().time() - started == c.LINGER_TIMEOUT


@virtual
async def test_lingering_ends_for_a_client_that_sends_without_end() -> None:
    async with connected() as (mine, client):
        mine.setblocking(False)
        lingering = asyncio.create_task(client.linger())
        with pytest.raises(ConnectionError):
            while True:
                try:
                    mine.send(bytes(65536))
                except BlockingIOError:
                    await settle(2)
        await lingering


@virtual
async def test_a_reset_is_not_shown_as_an_end() -> None:
    async with connected() as (mine, client):
        watching = asyncio.create_task(client.watch())
        await settle()
        await client.reset()
        await client.reset()
        with pytest.raises(ConnectionResetError):
            mine.recv(1)
        assert watching.done() or watching.cancel()


def test_bytes_go_both_ways_on_every_loop(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with connected() as (mine, client):
            mine.send(b"hello")
            assert await client.receive() == b"hello"
            assert client.source == client.local_host == "127.0.0.1"
            await client.send(b"back")
            assert mine.recv(100) == b"back"
            await client.close()
            assert mine.recv(100) == b""

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
