"""A server runs a handler for each connection and ends in good order."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from aio.conftest import LoopFactory
from aio.link import Link
from aio.pair import world
from aio.virtual_loop import virtual
from fastmux import PLAINTEXT, connect, listen
from fastmux import constants as c
from fastmux.aio.connection import Connection
from fastmux.aio.stream import Stream
from fastmux.aio.worker_group import WorkerPlace
from fastmux.exceptions import ConnectionClosed
from fastmux.protocol.connection_ids import RandomIds


async def wait(connection: Connection) -> None:
    await connection.wait_closed()


@virtual
async def test_every_connection_has_a_task_of_its_own() -> None:
    async def greet(connection: Connection) -> None:
        stream = await connection.open_stream()
        await stream.send(b"welcome")
        await stream.aclose()
        await connection.wait_closed()

    async with world(greet) as w:
        clients = [await w.connect() for _ in range(5)]
        for client in clients:
            stream = await client.accept()
            assert await stream.receive() == b"welcome"
            await stream.aclose()
        assert len(w.server.connections) == 5
        for client in clients:
            await client.aclose()
        await asyncio.sleep(1)
        assert not w.server.connections


@virtual
async def test_when_the_handler_returns_what_it_sent_is_delivered_and_the_connection_closed() -> None:
    async def talk(connection: Connection) -> None:
        stream = await connection.open_stream()
        await stream.send(b"x" * 100_000)
        await stream.aclose()

    async with world(talk, link=Link(loss=0.1, seed=8)) as w:
        client = await w.connect()
        stream = await client.accept()
        assert isinstance(stream, Stream)
        assert sum([len(chunk) async for chunk in stream]) == 100_000
        with pytest.raises(ConnectionClosed) as caught:
            await client.accept()
        assert (caught.value.code, caught.value.remote) == (c.NO_ERROR, True)
        await stream.aclose()


@virtual
async def test_a_handler_that_raises_is_logged_and_the_peer_gets_internal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(connection: Connection) -> None:
        raise ValueError("not today")

    async with world(fail) as w:
        client = await w.connect()
        with pytest.raises(ConnectionClosed) as caught:
            await client.accept()
        assert caught.value.code == c.INTERNAL
        assert "not today" not in caught.value.reason
    assert "not today" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@virtual
async def test_a_handler_that_ends_because_the_client_went_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def accept(connection: Connection) -> None:
        await connection.accept()

    async with world(accept) as w:
        client = await w.connect()
        client.abort()
        await asyncio.sleep(1)
        assert w.server.connections == ()
    assert caplog.records == []


@virtual
async def test_closing_lets_handlers_finish() -> None:
    finished = []

    async def slow(connection: Connection) -> None:
        await asyncio.sleep(3)
        finished.append(connection)

    async with world(slow) as w:
        await w.connect()
        w.server.close()
        w.server.close()
        loop = asyncio.get_running_loop()
        started = loop.time()
        await w.server.wait_closed()
        assert 2.9 < loop.time() - started < 3.5
        assert len(finished) == 1
        assert w.server.sockets == ()
        assert w.server_transport.is_closed


@virtual
async def test_handlers_that_do_not_finish_are_cancelled_after_their_time() -> None:
    async def forever(connection: Connection) -> None:
        await asyncio.Event().wait()

    async with world(forever, close_timeout=4) as w:
        client = await w.connect()
        loop = asyncio.get_running_loop()
        started = loop.time()
        w.server.close()
        await w.server.wait_closed()
        assert loop.time() - started == pytest.approx(4, abs=0.1)
        with pytest.raises(ConnectionClosed) as caught:
            await client.accept()
        assert caught.value.code == c.CANCELLED


@virtual
async def test_a_closing_server_refuses_new_connections() -> None:
    async def slow(connection: Connection) -> None:
        await asyncio.sleep(5)

    async with world(slow) as w:
        await w.connect()
        w.server.close()
        await asyncio.sleep(0.1)
        with pytest.raises(ConnectionClosed, match="closing") as caught:
            late = await w.connect()
            await late.accept()
        assert caught.value.code == c.REFUSED
        assert len(w.server.connections) == 1


@virtual
async def test_serve_forever_ends_with_the_server_and_a_cancellation_closes_it() -> None:
    async with world(wait) as w:
        serving = asyncio.create_task(w.server.serve_forever())
        await asyncio.sleep(1)
        assert not serving.done()
        w.server.close()
        await serving
    async with world(wait) as w:
        serving = asyncio.create_task(w.server.serve_forever())
        await asyncio.sleep(1)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert w.server_transport.is_closed


@virtual
async def test_a_failed_handshake_is_said_in_the_log_and_runs_no_handler(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def never(connection: Connection) -> None:
        raise AssertionError("no handler may run")

    async with world(never, handshake_timeout=1) as w:
        with caplog.at_level(logging.INFO, "fastmux.server"):
            driver = w.driver()
            driver.connect(w.server_transport.sockname, PLAINTEXT.create_handshake(True))
            await asyncio.sleep(0)
            driver.close()
            await asyncio.sleep(3)
        assert w.server.connections == ()
    assert "no connection with client-1 port 4433" in caplog.text


def test_a_setting_that_cannot_work_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="max_datagram_size"):
        listen(wait, "127.0.0.1", 0, tls=PLAINTEXT, max_datagram_size=100)


@pytest.mark.parametrize("retry", ["auto", "always", "never"])
def test_clients_connect_through_a_retry_or_without(loop_factory: LoopFactory, retry: str) -> None:
    async def main() -> None:
        async with listen(wait, "127.0.0.1", 0, tls=PLAINTEXT, retry=retry) as server:
            for _ in range(3):
                async with connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection:
                    assert await connection.ping() > 0
            counters = server.counters()
            assert counters["accepted"] == 3
            assert (counters["retried"] >= 3) is (retry == "always")

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


@virtual
async def test_a_server_that_was_restarted_with_its_key_is_noticed_at_once() -> None:
    link = Link()
    async with world(wait, link=link, reset_key=b"kept over restarts") as before:
        client = await before.connect()
        await asyncio.sleep(1)
        async with world(wait, link=link, reset_key=b"kept over restarts") as after:
            start = asyncio.get_running_loop().time()
            with pytest.raises(ConnectionClosed, match="restarted") as caught:
                await client.ping()
            assert caught.value.code == c.CONNECTION_UNKNOWN
            assert asyncio.get_running_loop().time() - start < 0.5
            assert after.server.counters()["resets_sent"] >= 1
            after.clients = before.clients  # for an address that nobody has
            again = await after.connect()
            assert await again.ping() > 0
            await again.aclose()


def test_a_key_of_resets_is_not_for_processes_that_share_a_port() -> None:
    with pytest.raises(ValueError, match="reset_key"):
        listen(wait, "127.0.0.1", 0, tls=PLAINTEXT, reuse_port=True, reset_key=bytes(16))


# --- many processes on one port -----------------------------------------------------------------------


def test_a_single_worker_chooses_its_ids_freely() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        listen(wait, worker=WorkerPlace(0, 1, (sock,)), tls=PLAINTEXT, connection_ids=RandomIds(4))
        with pytest.raises(ValueError, match="at least 8 bytes"):
            listen(wait, worker=WorkerPlace(0, 2, (sock,)), tls=PLAINTEXT, connection_ids=RandomIds(4))
