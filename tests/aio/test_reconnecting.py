"""`async for connection in connect(…)`."""

from __future__ import annotations

import asyncio

import pytest

from aio.pair import World, world
from aio.virtual_loop import virtual
from fastmux import PLAINTEXT, connect, listen
from fastmux.aio.backoff import Backoff
from fastmux.aio.connection import Connection
from fastmux.aio.reconnecting import connections
from fastmux.aio.stream import Stream
from fastmux.exceptions import AuthenticationError, ConnectionClosed, HandshakeError

BACKOFF = Backoff(initial=1.0, maximum=8.0, stable=10.0)


async def wait(connection: Connection) -> None:
    await connection.wait_closed()


def longest(low: float, high: float) -> float:
    return high


@virtual
async def test_each_turn_has_an_open_connection_and_the_last_one_is_closed() -> None:
    async with world(wait) as w:
        seen: list[Connection] = []
        async for connection in connections(w.connect, BACKOFF):
            assert all(earlier.is_closed for earlier in seen)
            assert await connection.ping() > 0
            seen.append(connection)
            if len(seen) == 3:
                break
        await seen[-1].wait_closed()


@virtual
async def test_a_connection_that_is_lost_is_followed_by_another() -> None:
    async with world(wait) as w:
        turns = 0
        async for connection in connections(w.connect, BACKOFF):
            turns += 1
            if turns == 4:
                break
            for accepted in w.server.connections:
                accepted.abort(7, "go away")
            with pytest.raises(ConnectionClosed):
                while True:
                    await connection.accept()


async def failing(w: World, errors: list[Exception]) -> Connection:
    if errors:
        raise errors.pop(0)
    return await w.connect()


@virtual
async def test_what_fails_is_tried_again_after_longer_and_longer_waits() -> None:
    async with world(wait) as w:
        loop = asyncio.get_running_loop()
        errors: list[Exception] = [
            TimeoutError("slow"),
            ConnectionRefusedError("nobody there"),
            HandshakeError("another version"),
            OSError("no route"),
            TimeoutError("slow"),
        ]
        began_at = loop.time()
        async for _ in connections(lambda: failing(w, errors), BACKOFF, longest):
            break
        assert loop.time() - began_at == pytest.approx(1 + 2 + 4 + 8 + 8, abs=0.1)


@virtual
async def test_only_a_connection_that_held_for_a_while_begins_the_waits_anew() -> None:
    async with world(wait) as w:
        loop = asyncio.get_running_loop()
        gaps = []
        left_at = loop.time()
        held = iter((0.0, 0.0, 0.0, 20.0, 0.0, 0.0))
        async for connection in connections(w.connect, BACKOFF, longest):
            gaps.append(round(loop.time() - left_at))
            time = next(held)
            if len(gaps) == 6:
                break
            await asyncio.sleep(time)
            connection.abort()
            left_at = loop.time()
        assert gaps == [0, 1, 2, 4, 1, 2]


@pytest.mark.parametrize(
    "fatal",
    [
        AuthenticationError("not the one"),
        ValueError("no certificate"),
        PermissionError("key file"),
        FileNotFoundError("key file"),
    ],
)
def test_what_waiting_does_not_mend_is_raised(fatal: Exception) -> None:
    @virtual
    async def main() -> None:
        async with world(wait) as w:
            with pytest.raises(type(fatal)):
                async for _ in connections(lambda: failing(w, [fatal]), BACKOFF):
                    raise AssertionError("there is no connection")

    main()


@virtual
async def test_an_error_in_the_body_ends_the_loop_and_aborts_the_connection() -> None:
    async with world(wait) as w:
        kept: list[Connection] = []
        with pytest.raises(KeyError):
            async for connection in connections(w.connect, BACKOFF):
                kept.append(connection)
                raise KeyError
        await kept[0].wait_closed()


@virtual
async def test_cancelled_it_leaves_nothing_behind() -> None:
    async with world(wait) as w:
        kept: list[Connection] = []

        async def loop_forever() -> None:
            async for connection in connections(w.connect, BACKOFF):
                kept.append(connection)
                await asyncio.Future()

        task = asyncio.ensure_future(loop_forever())
        while not kept:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        await kept[0].wait_closed()


def test_connect_can_be_iterated_over_real_sockets() -> None:
    async def main() -> None:
        async with listen(wait, "127.0.0.1", 0, tls=PLAINTEXT) as server:
            turns = 0
            backoff = Backoff(initial=0.001, maximum=0.001)
            async for connection in connect("127.0.0.1", server.port, tls=PLAINTEXT, backoff=backoff):
                await connection.ping()
                turns += 1
                if turns == 3:
                    break

    asyncio.run(main())


@virtual
async def test_a_loop_that_is_left_closes_as_gracefully_as_one_that_goes_on() -> None:
    """Guards against an abort, which would lose what was sent: `break` and `return` are no errors."""
    received: list[bytes] = []

    async def take(connection: Connection) -> None:
        stream = await connection.accept()
        assert isinstance(stream, Stream)
        received.append(b"".join([chunk async for chunk in stream]))
        await stream.aclose()

    async def by_break(w: World) -> None:
        async for connection in connections(w.connect, BACKOFF):
            await send(connection)
            break

    async def by_return(w: World) -> None:
        async for connection in connections(w.connect, BACKOFF):
            await send(connection)
            return

    async def send(connection: Connection) -> None:
        async with await connection.open_stream() as stream:
            await stream.send(bytes(3_000_000))

    async with world(take) as w:
        await by_break(w)
        await by_return(w)
        await asyncio.sleep(5)
        assert [len(data) for data in received] == [3_000_000] * 2
        assert not w.server.connections
