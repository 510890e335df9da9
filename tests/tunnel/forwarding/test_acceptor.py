"""Accepting: a task for each connection, no more at once than may be, none left behind."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from functools import partial
from typing import Any

import pytest

from aio.virtual_loop import settle
from e2e.support import LoopFactory, run
from fastmux.tunnel.forwarding import acceptor as acceptor_module
from fastmux.tunnel.forwarding.acceptor import Acceptor
from fastmux.tunnel.forwarding.binding import Bound, bind
from fastmux.tunnel.notation.targets import Target
from tunnel.ends import echo, on_all_loops, open_tcp, read_all, until


async def bound_socket() -> Bound:
    return await bind(Target("tcp", "127.0.0.1", 0))


async def echo_handler(sock: socket.socket, _host: str, _port: int) -> None:
    sock.setblocking(False)
    with sock:
        await echo(sock)


@on_all_loops
def test_each_connection_has_a_handler_that_knows_its_peer(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        peers: list[tuple[str, int]] = []

        async def handler(sock: socket.socket, host: str, port: int) -> None:
            peers.append((host, port))
            await echo_handler(sock, host, port)

        acceptor = Acceptor(await bound_socket(), handler)
        clients = [await open_tcp(acceptor.target.port) for _ in range(20)]
        for client in clients:
            await asyncio.get_running_loop().sock_sendall(client, b"hi")
            client.shutdown(socket.SHUT_WR)
            assert await read_all(client) == b"hi"
        assert sorted(peers) == sorted(client.getsockname() for client in clients)
        for client in clients:
            client.close()
        acceptor.stop()
        await acceptor.join()
        await acceptor.close()

    run(main(), loop_factory)


def test_while_too_many_are_open_others_wait_in_the_backlog(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        running = 0

        async def handler(sock: socket.socket, host: str, port: int) -> None:
            nonlocal running
            running += 1
            await echo_handler(sock, host, port)
            running -= 1

        def is_running(number: int) -> bool:
            return running == number

        acceptor = Acceptor(await bound_socket(), handler, max_connections=3)
        clients = [await open_tcp(acceptor.target.port) for _ in range(10)]
        for left in range(len(clients), 0, -1):
            await until(partial(is_running, min(3, left)))
            clients[-left].close()
        await until(lambda: running == 0)
        await acceptor.close()

    with caplog.at_level(logging.WARNING):
        run(main())
    assert len(caplog.records) == 1


@on_all_loops
def test_closing_resets_what_is_open_and_stopping_does_not(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        acceptor = Acceptor(await bound_socket(), echo_handler)
        client = await open_tcp(acceptor.target.port)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, b"a")
        assert await loop.sock_recv(client, 10) == b"a"
        acceptor.stop()
        await settle()
        with pytest.raises(ConnectionRefusedError):
            await open_tcp(acceptor.target.port)
        await loop.sock_sendall(client, b"b")
        assert await loop.sock_recv(client, 10) == b"b"
        await acceptor.close()
        assert await read_all(client) == b""  # this handler closes its socket by itself
        client.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main(), loop_factory)


def test_a_connection_whose_task_is_cancelled_before_it_began_is_reset_all_the_same() -> None:
    async def main() -> None:
        def cancelling(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
            task = asyncio.Task(coroutine, loop=loop, **options)
            if coroutine.__name__ == "_handle":
                task.cancel()
            return task

        acceptor = Acceptor(await bound_socket(), echo_handler, max_connections=1)
        asyncio.get_running_loop().set_task_factory(cancelling)
        for _ in range(3):
            client = await open_tcp(acceptor.target.port)
            with client, pytest.raises(ConnectionResetError):
                await read_all(client)
        await acceptor.close()

    run(main())


def test_a_handler_that_fails_is_logged_and_its_connection_reset(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def handler(_sock: socket.socket, _host: str, _port: int) -> None:
            raise RuntimeError("oops")

        acceptor = Acceptor(await bound_socket(), handler)
        client = await open_tcp(acceptor.target.port)
        with pytest.raises(ConnectionResetError):
            await read_all(client)
        client.close()
        await acceptor.close()

    run(main())
    assert "oops" in caplog.text


def test_a_system_without_descriptors_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceptor_module, "FORWARD_ACCEPT_RETRY_DELAY", 0.0)

    class Poor(socket.socket):
        failures = [errno.EMFILE, errno.EMFILE, errno.ECONNABORTED]

        def accept(self) -> tuple[socket.socket, object]:
            if self.failures:
                raise OSError(self.failures.pop(), "poor")
            return super().accept()

    async def main() -> None:
        bound = await bound_socket()
        poor = Poor(fileno=bound.sock.detach())
        poor.setblocking(False)
        acceptor = Acceptor(Bound(poor, bound.target), echo_handler)
        client = await open_tcp(acceptor.target.port)
        client.shutdown(socket.SHUT_WR)
        assert await read_all(client) == b""
        client.close()
        await acceptor.close()

    run(main())
    assert caplog.text.count("cannot accept") == 1
