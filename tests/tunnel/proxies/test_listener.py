"""Listening: where it is told, for so many clients, and no longer than that."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aio.conftest import LoopFactory
from fastmux.tunnel.notation.targets import Target
from fastmux.tunnel.proxies.client_socket import ClientSocket
from fastmux.tunnel.proxies.listener import ProxyListener
from tunnel.proxies.world import LOOPBACK


class Echo(ProxyListener):
    """Sends back what comes."""

    async def serve_client(self, client: ClientSocket) -> None:
        while data := await client.receive():
            if data == b"fail":
                raise RuntimeError("on purpose")
            await client.send(data)
        await client.close()


async def connect(listener: ProxyListener) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(listener.bound.host, listener.bound.port)


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def test_clients_are_served_until_it_is_closed(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        echo = Echo(LOOPBACK, max_connections=10)
        with pytest.raises(RuntimeError, match="not started"):
            _ = echo.bound
        await echo.start()
        assert echo.bound.host == "127.0.0.1"
        assert echo.bound.port
        with pytest.raises(RuntimeError, match="already"):
            await echo.start()
        reader, writer = await connect(echo)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        echo.close()
        echo.close()
        await echo.wait_closed()
        with pytest.raises(ConnectionError):
            await reader.readexactly(1)
        await leave(writer)
        with pytest.raises(ConnectionError):
            await connect(echo)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_clients_that_are_there_may_go_on_after_it_stopped_accepting() -> None:
    async def main() -> None:
        echo = Echo(LOOPBACK, max_connections=10)
        await echo.start()
        reader, writer = await connect(echo)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        echo.stop_accepting()
        with pytest.raises(ConnectionError):
            await connect(echo)
        waiting = asyncio.create_task(echo.wait_closed())
        writer.write(b"still")
        assert await reader.readexactly(5) == b"still"
        assert not waiting.done()
        await leave(writer)
        await waiting

    asyncio.run(main())


def test_more_clients_than_allowed_wait_for_their_turn() -> None:
    async def main() -> None:
        echo = Echo(LOOPBACK, max_connections=2)
        await echo.start()
        clients = [await connect(echo) for _ in range(3)]
        for _, writer in clients:
            writer.write(b"hello")
        for reader, _ in clients[:2]:
            assert await reader.readexactly(5) == b"hello"
        last = asyncio.create_task(clients[2][0].readexactly(5))
        await asyncio.sleep(0)
        assert not last.done()
        await leave(clients[0][1])
        assert await last == b"hello"
        for _, writer in clients[1:]:
            await leave(writer)
        echo.close()
        await echo.wait_closed()

    asyncio.run(main())


def test_a_client_that_is_served_badly_is_reset_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        echo = Echo(LOOPBACK, max_connections=10)
        await echo.start()
        reader, writer = await connect(echo)
        writer.write(b"fail")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        await leave(writer)
        reader, writer = await connect(echo)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        await leave(writer)
        echo.close()
        await echo.wait_closed()

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert "on purpose" in caplog.text


def test_an_address_in_use_is_an_error_that_names_it() -> None:
    async def main() -> None:
        first = Echo(LOOPBACK, max_connections=10)
        await first.start()
        second = Echo(first.bound, max_connections=10)
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{first.bound.port}.*in use"):
            await second.start()
        first.close()
        await first.wait_closed()
        second.close()
        second.stop_accepting()
        await second.wait_closed()

    asyncio.run(main())


def test_what_is_no_tcp_address_or_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="TCP"):
        Echo(Target("udp", "127.0.0.1", 0), max_connections=1)
    with pytest.raises(ValueError, match="TCP"):
        Echo(Target("unix", path="/run/x"), max_connections=1)
    with pytest.raises(ValueError, match="max_connections"):
        Echo(LOOPBACK, max_connections=0)
