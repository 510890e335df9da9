"""A child of a fork has none of its parent's connections: it says so, sends nothing; the parent goes on."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from aio.conftest import LoopFactory
from fastmux import PLAINTEXT, Connection, ConnectionClosed, Stream, connect, listen
from fastmux.aio.forks import keep_from_children
from fastmux.aio.server import Server

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    # Python 3.12 warns of a fork beside threads; asyncio's and the tests' own do nothing in the child
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

SIZE = 3_000_000


def in_a_child(act: Callable[[], str]) -> str:
    """What `act` says in a child of a fork; the child ends without any cleaning up."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = act()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said


async def answer_with_hash(channel: Any) -> None:
    digest = sha256()
    async for chunk in channel:
        digest.update(chunk)
    await channel.send(digest.digest())


async def handler(connection: Connection) -> None:
    await connection.serve(answer_with_hash)


def sent_by(connection: Connection, server: Server) -> int:
    """Trains that both sockets have sent."""
    return connection._driver.transport.counters()["trains_sent"] + server.counters()["trains_sent"]


def try_everything(connection: Connection, stream: Stream, server: Server) -> str:
    """Use what the child has inherited in every way that might send."""
    sent = sent_by(connection, server)
    errors = []
    for coroutine in (stream.send(b"x" * 100_000), connection.ping(), connection.open_stream()):
        try:
            coroutine.send(None)
        except ConnectionClosed as error:
            errors.append(str(error))
        coroutine.close()
    stream.reset()
    connection.abort()
    connection._driver.close()
    for driver in server._drivers:
        driver.close()
    return f"{sent_by(connection, server) - sent} sent; {len(errors)}: {errors[0]}; {connection.is_closed}"


@pytest.mark.parametrize("forks", [1, 5])
def test_a_fork_in_the_middle_of_a_transfer(loop_factory: LoopFactory, forks: int) -> None:
    data = os.urandom(SIZE)

    async def main() -> None:
        async with (
            await listen(handler, "127.0.0.1", 0, tls=PLAINTEXT) as server,
            connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection,
            await connection.open_stream() as stream,
        ):
            for start in range(0, SIZE, SIZE // 10):
                await stream.send(data[start : start + SIZE // 10])
                if start // (SIZE // 10) < forks:
                    said = in_a_child(lambda: try_everything(connection, stream, server))
                    assert said == (
                        "0 sent; 3: connection closed by this end (code 0x1): "
                        "this process is a fork: the connections stay with its parent; True"
                    )
            await stream.send_eof()
            assert b"".join([chunk async for chunk in stream]) == sha256(data).digest()
            assert connection.stats.malformed_packets == 0
            assert connection.stats.duplicate_packets == 0

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_a_child_does_not_keep_the_port(loop_factory: LoopFactory) -> None:
    """Else a server could not be started again while a child of the old one runs."""

    async def main() -> None:
        server = await listen(handler, "127.0.0.1", 0, tls=PLAINTEXT)
        port = server.port
        reading, writing = os.pipe()
        is_there, says_so = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(says_so, b"x")
            os.close(writing)
            os.read(reading, 1)  # until the parent is done
            os._exit(0)
        os.close(reading)
        os.read(is_there, 1)
        server.close()
        await server.wait_closed()
        async with await listen(handler, "127.0.0.1", port, tls=PLAINTEXT):
            pass
        for descriptor in (writing, is_there, says_so):
            os.close(descriptor)
        os.waitpid(child, 0)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


class Remembering:
    """Counts how often it was forsaken."""

    def __init__(self) -> None:
        self.times = 0

    def forsake(self) -> None:
        self.times += 1


def test_whoever_is_kept_from_children_is_told_in_each_once_and_not_kept_alive() -> None:
    def times(one: Remembering) -> str:
        keep_from_children(one)
        here = in_a_child(lambda: str(one.times))
        below = in_a_child(lambda: in_a_child(lambda: str(one.times)))
        return f"{one.times} here, {here} in a child, {below} in its child"

    one = Remembering()
    assert times(one) == "0 here, 1 in a child, 1 in its child"
    watched = weakref.ref(one)
    del one
    gc.collect()
    assert watched() is None


