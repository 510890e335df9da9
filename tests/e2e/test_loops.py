"""The main paths on each event loop, and where the kernel or the loop offers less."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVarTuple, Unpack

import pytest

import fastmux
from e2e.conversation import FarEnd, exercise
from e2e.support import LogWatch, LoopFactory, linux_only, run
from fastmux import core
from fastmux._core_py.datagram_io import DatagramIO
from fastmux.aio.socket_options import SOL_UDP, UDP_SEGMENT

if TYPE_CHECKING:
    from _typeshed import HasFileno

Arguments = TypeVarTuple("Arguments")

pytestmark = pytest.mark.slow


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """What the Windows proactor loop is in this respect."""

    def add_reader(
        self, fd: int | HasFileno, callback: Callable[[Unpack[Arguments]], Any], *args: *Arguments
    ) -> None:
        """There is no such thing here."""
        raise NotImplementedError


async def converse(server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig, path: str) -> dict[str, int]:
    """Everything over one connection whose socket path has `path` in it; the server's counters."""
    far_end = FarEnd()
    with LogWatch() as log:
        async with fastmux.listen(far_end.handle, "127.0.0.1", 0, tls=server_tls) as server:
            async with fastmux.connect("127.0.0.1", server.port, tls=client_tls) as conn:
                assert path in str(conn.get_extra_info("socket_path"))
                last_words = await exercise(conn)
            counters = server.counters()
    assert far_end.last_words == [last_words]
    assert far_end.endings == ["without an error"]
    assert log.lines == []
    return counters


def test_everything_arrives_on_every_loop(
    server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig, loop_factory: LoopFactory
) -> None:
    run(converse(server_tls, client_tls, ""), loop_factory)


@linux_only
@pytest.mark.parametrize("refusal", [errno.EIO, errno.EINVAL])
def test_everything_arrives_where_gso_is_refused_at_run_time(
    server_tls: fastmux.TLSConfig,
    client_tls: fastmux.TLSConfig,
    loop_factory: LoopFactory,
    monkeypatch: pytest.MonkeyPatch,
    refusal: int,
) -> None:
    send_message = socket.socket.sendmsg

    def refuse_trains(
        sock: socket.socket, buffers: Any, ancillary: Iterable[tuple[int, int, bytes]] = (), *rest: Any
    ) -> int:
        messages = list(ancillary)
        if any(message[:2] == (SOL_UDP, UDP_SEGMENT) for message in messages):
            raise OSError(refusal, "no GSO on this device")
        return send_message(sock, buffers, messages, *rest)

    monkeypatch.setattr(socket.socket, "sendmsg", refuse_trains, raising=False)
    monkeypatch.setattr(core, "make_datagram_io", DatagramIO)  # the calls that can be replaced
    counters = run(converse(server_tls, client_tls, ""), loop_factory)
    assert counters["gso_refusals"] == 1  # then it stays off for this destination
    assert counters["send_errors"] == 0


def test_everything_arrives_on_a_loop_without_add_reader(
    server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig
) -> None:
    run(converse(server_tls, client_tls, "datagram_endpoint"), LoopWithoutReaders)


def test_a_plaintext_connection_carries_the_same(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        far_end = FarEnd()
        async with (
            fastmux.listen(far_end.handle, "127.0.0.1", 0, tls=fastmux.PLAINTEXT) as server,
            fastmux.connect("127.0.0.1", server.port, tls=fastmux.PLAINTEXT) as conn,
        ):
            last_words = await exercise(conn)
        assert far_end.last_words == [last_words]

    run(main(), loop_factory)
