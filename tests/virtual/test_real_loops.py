"""Refusals of a real socket on each event loop (F33 to F37, F49): the same results on both."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from aio.conftest import LoopFactory
from fastmux import PLAINTEXT, ConnectionClosed, connect, listen
from fastmux.aio import open_transport
from fastmux.aio.socket_options import create_udp_socket
from fastmux.aio.train_socket import TrainSocket
from virtual.transfers import content, serve_hashes, upload

SIZE = 2_000_000


class Moody(socket.socket):
    """A socket that refuses a share of its sending calls, of trains or of all."""

    code = 0
    share = 0.0
    trains_only = False
    refused = 0
    dice = Random(1)

    def _refuse(self, is_train: bool) -> None:
        if self.trains_only and not is_train:
            return
        if Moody.dice.random() < self.share:
            Moody.refused += 1
            raise OSError(self.code, os.strerror(self.code))

    def sendmsg(self, *args: Any) -> int:
        """Send a train, or refuse."""
        self._refuse(True)
        return super().sendmsg(*args)

    def sendto(self, *args: Any) -> int:
        """Send a datagram, or refuse."""
        self._refuse(False)
        return super().sendto(*args)


def moody_socket(family: int, local: tuple[object, ...] | None, *, reuse_port: bool = False) -> socket.socket:
    """What `create_udp_socket` makes, with moods."""
    return Moody(fileno=create_udp_socket(family, local, reuse_port=reuse_port).detach())


def play(loop_factory: LoopFactory, main: Callable[[], Any]) -> None:
    """Run it; the loop must have nothing to report."""
    reports: list[object] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
        async with asyncio.timeout(60):
            await main()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(watched())
    assert reports == []


@pytest.mark.parametrize(
    ("code", "share", "trains_only"),
    [
        (errno.EAGAIN, 0.1, False),
        (errno.ENOBUFS, 0.05, False),
        (errno.EPERM, 0.05, False),
        (errno.ECONNREFUSED, 0.05, False),
        (errno.EIO, 1.0, True),
        (errno.EINVAL, 1.0, True),
        (errno.EINTR, 0.3, False),
    ],
    ids=lambda value: errno.errorcode.get(value, "") if isinstance(value, int) else None,
)
def test_an_upload_survives_a_socket_that_refuses(
    loop_factory: LoopFactory, monkeypatch: pytest.MonkeyPatch, code: int, share: float, trains_only: bool
) -> None:
    async def main() -> None:
        async with (
            await listen(serve_hashes, "127.0.0.1", 0, tls=PLAINTEXT) as server,
            connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection,
        ):
            monkeypatch.setattr(Moody, "share", share)
            await upload(connection, content(SIZE))
            monkeypatch.setattr(Moody, "share", 0.0)

    monkeypatch.setattr(open_transport, "create_udp_socket", moody_socket)
    monkeypatch.setattr(Moody, "code", code)
    monkeypatch.setattr(Moody, "trains_only", trains_only)
    monkeypatch.setattr(Moody, "dice", Random(9))  # an upload takes few calls: the 5th is refused
    monkeypatch.setattr(Moody, "refused", 0)
    play(loop_factory, main)
    assert Moody.refused > 0


@pytest.mark.parametrize("by_number", [False, True], ids=["object", "descriptor"])
def test_a_socket_that_was_closed_under_us_is_one_clear_error(
    loop_factory: LoopFactory, by_number: bool
) -> None:
    async def main() -> None:
        async with await listen(serve_hashes, "127.0.0.1", 0, tls=PLAINTEXT, idle_timeout=1.0) as server:
            connection = await connect("127.0.0.1", server.port, tls=PLAINTEXT)
            transport = connection._driver.transport
            assert isinstance(transport, TrainSocket)
            if by_number:
                os.close(transport.socket.fileno())
            else:
                transport.socket.close()
            with pytest.raises(ConnectionClosed, match="is gone: Bad file descriptor"):
                while True:
                    await connection.ping()

    play(loop_factory, main)
