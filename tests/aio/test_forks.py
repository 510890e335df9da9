"""In a child of fork the parent's connections are over: each call says so, and nothing is sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import fastmux
from aio.conftest import LoopFactory
from fastmux import constants as c
from fastmux.aio.connection import Connection
from fastmux.aio.server import Server
from fastmux.aio.train_socket import TrainSocket
from fastmux.exceptions import ClosedResourceError, ConnectionClosed
from forking import in_child, needs_fork

pytestmark = needs_fork


async def echo(connection: Connection) -> None:
    async for channel in connection:
        assert isinstance(channel, fastmux.Stream)
        async for data in channel:
            await channel.send(data)


@asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[tuple[Server, Connection]]:
    """A server that echoes and a client of it, over real sockets."""
    async with fastmux.listen(echo, "127.0.0.1", 0, tls=fastmux.PLAINTEXT, **options) as server:
        address = ("127.0.0.1", server.port)
        async with fastmux.connect(*address, tls=fastmux.PLAINTEXT, **options) as connection:
            yield server, connection


def run(main: Coroutine[Any, Any, None], loop_factory: LoopFactory) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(asyncio.wait_for(main, 30))


def refusal(coroutine: Coroutine[Any, Any, object]) -> ConnectionClosed:
    """The error of a call that fails before it waits for anything."""
    with pytest.raises(ConnectionClosed) as caught:
        coroutine.send(None)
    return caught.value


def descriptors(*connections: Connection) -> list[int]:
    transports = [connection._driver.transport for connection in connections]
    return [each._fd for each in transports if isinstance(each, TrainSocket)]


def test_every_call_of_a_connection_says_that_it_stays_with_the_parent(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with connected() as (_, connection):
            await connection.ping()  # something was sent, which the child's copy of the figures shows
            stream = await connection.open_stream()
            messages = await connection.open_message_channel()
            calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
                "open_stream": connection.open_stream,
                "open_message_channel": connection.open_message_channel,
                "accept": connection.accept,
                "ping": connection.ping,
                "receive_datagram": connection.receive_datagram,
                "migrate": connection.migrate,
                "create_server": lambda: connection.create_server(asyncio.Protocol, "host", 1),
                "stream.send": lambda: stream.send(b"data"),
                "stream.receive": stream.receive,
                "stream.send_eof": stream.send_eof,
                "messages.send": lambda: messages.send(b"data"),
                "messages.receive": messages.receive,
            }

            def check() -> None:
                for name, call in calls.items():
                    error = refusal(call())
                    assert error.code == c.FORKED, name
                    assert "forked off: the connection stays with the parent" in str(error), name
                with pytest.raises(ConnectionClosed, match="forked off"):
                    connection.send_datagram(b"data")
                assert connection.is_closed
                assert connection.stats.packets_sent > 0
                connection.close()
                connection.abort()

            in_child(check)
            await stream.send(b"still here")
            assert await stream.receive() == b"still here"

    run(main(), loop_factory)


def test_who_waits_in_the_child_is_told(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with connected() as (_, connection):
            stream = await connection.open_stream()
            receiving = stream.receive()
            waiter = receiving.send(None)

            def check() -> None:
                assert waiter.done()
                assert refusal(receiving).code == c.FORKED

            in_child(check)
            assert not waiter.done()
            receiving.close()

    run(main(), loop_factory)


def test_the_child_has_no_socket_of_the_parent_and_the_parent_goes_on(loop_factory: LoopFactory) -> None:
    """Guards against a child that unregisters the parent's sockets from the epoll that both share."""

    async def main() -> None:
        async with connected() as (server, connection):
            stream = await connection.open_stream()
            await stream.send(bytes(200_000))  # on its way while the child looks
            (accepted,) = server.connections

            def check() -> None:
                for descriptor in descriptors(connection, accepted):
                    with pytest.raises(OSError, match="Bad file descriptor"):
                        os.fstat(descriptor)
                assert server.sockets == ()
                for each in (connection, accepted):
                    each._driver._flush()
                    each._driver._on_timer()
                    each._driver.close()

            assert len(descriptors(connection, accepted)) == 2
            in_child(check)
            received = 0
            while received < 200_000:
                received += len(await stream.receive())
            for stats in (connection.stats, accepted.stats):
                assert (stats.undecryptable_packets, stats.duplicate_packets) == (0, 0)

    run(main(), loop_factory)


def test_a_child_can_connect_anew(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with connected() as (_, connection):

            async def again() -> None:
                async with connected() as (_, mine):
                    stream = await mine.open_stream()
                    await stream.send(b"in the child")
                    assert await stream.receive() == b"in the child"

            in_child(lambda: asyncio.run(asyncio.wait_for(again(), 15)))
            assert await connection.ping() >= 0

    run(main(), asyncio.SelectorEventLoop)


def test_a_server_in_a_child_does_not_serve() -> None:
    async def main() -> None:
        async with connected() as (server, _):

            def check() -> None:
                with pytest.raises(ClosedResourceError, match="the server stays with the parent"):
                    server.serve_forever().send(None)

            in_child(check)

    run(main(), asyncio.SelectorEventLoop)


def test_a_child_writes_nothing_into_the_records_of_its_parents_connections(tmp_path: Path) -> None:
    async def main() -> None:
        async with connected(qlog=tmp_path) as (_, connection):
            await connection.ping()
            trace = connection._connection

            def check() -> None:
                assert trace.is_closed
                assert trace.next_event() is None  # what an observer is told comes this way

            in_child(check)
            assert await connection.ping() >= 0

    run(main(), asyncio.SelectorEventLoop)


def sent_by(connection: Connection, server: Server) -> int:
    """Trains that both sockets have sent."""
    return connection._driver.transport.counters()["trains_sent"] + server.counters()["trains_sent"]


@pytest.mark.parametrize("forks", [1, 5])
def test_forks_in_the_middle_of_a_transfer(loop_factory: LoopFactory, forks: int) -> None:
    data = os.urandom(1_000_000)

    async def main() -> None:
        async with connected() as (server, connection):
            stream = await connection.open_stream()
            echoed = bytearray()

            async def read() -> None:
                while len(echoed) < len(data):
                    echoed.extend(await stream.receive())

            reading = asyncio.create_task(read())

            def use_everything() -> None:
                sent = sent_by(connection, server)
                refusal(stream.send(b"x" * 100_000))
                stream.reset()
                connection.abort()
                for driver in (connection._driver, *server._drivers):
                    driver.close()
                assert sent_by(connection, server) == sent

            for number in range(10):
                await stream.send(data[number * 100_000 : (number + 1) * 100_000])
                if number < forks:
                    in_child(use_everything)
            await reading
            assert echoed == data
            assert connection.stats.duplicate_packets == connection.stats.malformed_packets == 0

    run(main(), loop_factory)
