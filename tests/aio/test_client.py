"""`connect` opens a connection, or says clearly why not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aio.conftest import LoopFactory
from aio.pair import world
from aio.virtual_loop import virtual
from fastmux import PLAINTEXT, connect, listen
from fastmux.aio.client import open_connection
from fastmux.aio.connection import Connection
from fastmux.exceptions import HandshakeError


async def wait(connection: Connection) -> None:
    await connection.wait_closed()


def run(loop_factory: LoopFactory, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def silent_port() -> tuple[socket.socket, int]:
    """A UDP port where nobody answers."""
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock, sock.getsockname()[1]


def test_connect_can_be_awaited_and_entered(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with listen(wait, "127.0.0.1", 0, tls=PLAINTEXT) as server:
            connection = await connect("127.0.0.1", server.port, tls=PLAINTEXT)
            assert connection.get_extra_info("peername") == ("127.0.0.1", server.port)
            assert connection.get_extra_info("socket_path") in ("gso+gro", "gso", "gro", "plain")
            await connection.aclose()
            async with connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection:
                assert 0 < await connection.ping() < 5
            assert connection.is_closed

    run(loop_factory, main)


def test_an_error_in_the_block_aborts_the_connection(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with listen(wait, "127.0.0.1", 0, tls=PLAINTEXT) as server:
            with pytest.raises(KeyError):
                async with connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection:
                    raise KeyError
            assert connection.is_closed

    run(loop_factory, main)


def test_nobody_there_is_a_timeout_that_names_the_address(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        sock, port = silent_port()
        with sock, pytest.raises(TimeoutError, match=f"127.0.0.1 port {port} within 0.1 s"):
            await connect("127.0.0.1", port, tls=PLAINTEXT, open_timeout=0.1)

    run(loop_factory, main)


def test_a_handshake_timeout_that_is_asked_for_says_what_was_missing(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        sock, port = silent_port()
        with sock, pytest.raises(HandshakeError, match="0.1 s"):
            await connect("127.0.0.1", port, tls=PLAINTEXT, handshake_timeout=0.1)

    run(loop_factory, main)


def test_addresses_are_tried_in_order_until_one_answers(
    loop_factory: LoopFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        sock, silent = silent_port()
        async with listen(wait, "127.0.0.1", 0, tls=PLAINTEXT) as server:
            found = [(2, 2, 17, "", ("127.0.0.1", port)) for port in (silent, server.port)]

            async def getaddrinfo(*args: object, **kwargs: object) -> object:
                return found

            with sock, monkeypatch.context() as patch:
                patch.setattr(type(loop), "getaddrinfo", lambda self, *args, **kwargs: getaddrinfo())
                async with connect("both.example", 1, tls=PLAINTEXT) as connection:
                    assert connection.get_extra_info("peername") == ("127.0.0.1", server.port)

    run(asyncio.SelectorEventLoop, main)


def test_a_name_that_does_not_resolve_is_an_os_error(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="Name|known|resol"):
            await connect("does-not-exist.invalid", 1, tls=PLAINTEXT, open_timeout=30)

    run(loop_factory, main)


def test_the_local_address_can_be_chosen(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with (
            listen(wait, "127.0.0.1", 0, tls=PLAINTEXT) as server,
            connect("127.0.0.1", server.port, tls=PLAINTEXT, local_address=("127.0.0.3", 0)) as connection,
        ):
            sockname = connection.get_extra_info("sockname")
            assert isinstance(sockname, tuple)
            assert sockname[0] == "127.0.0.3"

    run(loop_factory, main)


def test_settings_are_those_of_the_configuration_and_checked_at_once() -> None:
    with pytest.raises(ValueError, match="idle_timeout"):
        connect("127.0.0.1", 1, tls=PLAINTEXT, idle_timeout=-1)


@virtual
async def test_a_cancelled_connect_tells_the_peer_and_frees_everything() -> None:
    async with world(wait) as w:
        driver = w.driver()
        handshake = PLAINTEXT.create_handshake(True)
        connecting = asyncio.create_task(open_connection(driver, w.server_transport.sockname, handshake))
        await asyncio.sleep(0.008)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await asyncio.sleep(5)
        assert w.server.connections == ()
        assert w.server.counters()["accepted"] == 1
        assert driver.is_closed
