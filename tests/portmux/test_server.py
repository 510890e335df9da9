"""`listen` by ports: handlers, closing, and the ports of a range."""

from __future__ import annotations

import asyncio
import logging

import pytest

from e2e.support import run
from fastmux import PLAINTEXT, portmux
from fastmux import constants as c
from fastmux.exceptions import ConnectionClosed
from portmux.ends import HOST, port_ends, until
from portmux.test_ports import free_ports


def test_channels_keep_to_the_range_of_ports() -> None:
    async def main() -> None:
        wanted = free_ports(1)
        async with port_ends(ports=range(wanted[0], wanted[0] + 1)) as both:
            for _ in range(3):
                mine, theirs = await both.streams()
                assert mine.port == wanted[0]
                await mine.aclose()
                await theirs.aclose()
                await until(lambda: both.listener.ports_in_use == 0)

    run(main())


def test_a_handler_that_returns_closes_gracefully_and_one_that_fails_with_internal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(connection: portmux.PortConnection) -> None:
        async with await connection.accept() as channel:
            if channel.label == "fail":
                raise RuntimeError("no")
            await channel.send(b"bye")

    async def main() -> None:
        async with portmux.listen(handler, HOST, 0, tls=PLAINTEXT) as server:
            for label, code in (("return", c.NO_ERROR), ("fail", c.INTERNAL)):
                connection = await portmux.connect(HOST, server.port, tls=PLAINTEXT)
                stream = await connection.open_stream(label)
                if label == "return":
                    assert await stream.receive() == b"bye"
                with pytest.raises(ConnectionClosed) as caught:
                    await connection.accept()
                assert caught.value.code == code
                await stream.aclose()
                await connection.wait_closed()
            await until(lambda: server.ports_in_use == 0 and not server.connections)

    with caplog.at_level(logging.ERROR, "fastmux.server"):
        run(main())
    assert ["failed" in record.message for record in caplog.records] == [True]
    caplog.clear()


def test_a_server_that_closes_lets_handlers_finish_and_then_stops_them() -> None:
    async def main() -> None:
        stopped = asyncio.Event()

        async def handler(connection: portmux.PortConnection) -> None:
            try:
                await connection.accept()
            except asyncio.CancelledError:
                stopped.set()
                raise

        server = await portmux.listen(handler, HOST, 0, tls=PLAINTEXT, close_timeout=0.05)
        assert server.sockets == ((HOST, server.port),)
        connection = await portmux.connect(HOST, server.port, tls=PLAINTEXT)
        await until(lambda: len(server.connections) == 1)
        serving = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        server.close()
        await serving
        assert stopped.is_set()
        assert server.counters()["accepted"] == 1
        with pytest.raises(ConnectionClosed, match="the server stopped"):
            await connection.accept()
        await connection.wait_closed()

    run(main())


def test_a_server_that_does_not_listen_yet_says_so() -> None:
    server = portmux.listen(lambda connection: asyncio.sleep(0), HOST, 0, tls=PLAINTEXT)._server
    with pytest.raises(RuntimeError, match="does not listen yet"):
        _ = server.port


def test_settings_that_cannot_work_are_an_error_at_once() -> None:
    for settings in ({"max_ports": 0}, {"max_total_ports": 0}, {"ports": [0]}):
        with pytest.raises(ValueError, match="must be 1 to"):
            portmux.listen(lambda connection: asyncio.sleep(0), HOST, 0, tls=PLAINTEXT, **settings)
