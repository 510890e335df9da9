"""macOS and Windows, made here by taking away what they lack: whole connections over real sockets.

What each one lacks is in `SYSTEMS`. That the parts do what they should without it is tested beside each part;
here, that nothing above them needs what is gone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from fastmux import PLAINTEXT, Connection, MessageChannel, Stream, bind_group, connect, core, listen
from fastmux.aio import socket_options
from fastmux.aio.socket_options import BufferHint, forbid_fragmentation, raise_buffers

Setter = Callable[[pytest.MonkeyPatch], None]


def refuse(*args: object) -> None:
    raise NotImplementedError


class ProactorLike(asyncio.SelectorEventLoop):
    """A loop that cannot watch sockets, as Windows' default one; its datagram endpoints work."""

    def add_reader(self, fd: object, callback: object, *args: object) -> None:
        raise NotImplementedError

    def add_writer(self, fd: object, callback: object, *args: object) -> None:
        raise NotImplementedError


def become_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GSO, no GRO, no forced buffers; fragmentation is forbidden in another way, which fails here."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(socket_options, "_IS_LINUX", False)


def become_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As macOS; and no compiled socket calls, no SO_REUSEPORT, nothing that forbids fragmentation."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(socket_options, "_IS_LINUX", False)
    monkeypatch.setattr(core, "DatagramIO", refuse)
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)


SYSTEMS = {
    "macos": (become_macos, asyncio.SelectorEventLoop, "plain"),
    "windows": (become_windows, ProactorLike, "datagram_endpoint"),
    "windows with a selector loop": (become_windows, asyncio.SelectorEventLoop, "plain"),
}


async def answer(channel: Stream | MessageChannel) -> None:
    """The digest of a stream, each message back."""
    if isinstance(channel, Stream):
        digest = sha256()
        async for chunk in channel:
            digest.update(chunk)
        await channel.send(digest.digest())
    else:
        async for message in channel:
            await channel.send(message)


async def handler(conn: Connection) -> None:
    conn.send_datagram(b"welcome")
    await conn.serve(answer)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_kind_of_channel_works_on_another_system(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    become, loop_factory, path = SYSTEMS[system]
    data = bytes(range(256)) * 2000

    async def main() -> None:
        server = await listen(handler, "127.0.0.1", 0, tls=PLAINTEXT, close_timeout=0)
        async with server, connect("127.0.0.1", server.port, tls=PLAINTEXT) as conn:
            assert conn.get_extra_info("socket_path") == path
            assert await conn.receive_datagram() == b"welcome"
            async with await conn.open_stream() as stream:
                await stream.send(data)
                await stream.send_eof()
                assert await stream.receive() == sha256(data).digest()
            async with await conn.open_message_channel() as channel:
                await channel.send(data)
                assert await channel.receive() == data
            assert await conn.ping() > 0
            assert conn.stats.mtu <= 1452  # what may be cut on its way is never made larger

    become(monkeypatch)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_a_client_moves_to_a_new_socket_where_the_loop_cannot_watch_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        server = await listen(handler, "127.0.0.1", 0, tls=PLAINTEXT, close_timeout=0)
        async with server, connect("127.0.0.1", server.port, tls=PLAINTEXT) as conn:
            before = conn.get_extra_info("sockname")
            await conn.migrate()
            assert conn.get_extra_info("sockname") != before
            assert await conn.ping() > 0

    become_windows(monkeypatch)
    with asyncio.Runner(loop_factory=ProactorLike) as runner:
        runner.run(main())


@pytest.mark.parametrize("become", [become_macos, become_windows], ids=["macos", "windows"])
def test_more_workers_than_one_are_refused_with_a_reason(
    become: Setter, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch)
    with pytest.raises(OSError, match="Linux"):
        bind_group("127.0.0.1", 0, 2)
    (place,) = bind_group("127.0.0.1", 0, 1)
    for sock in place.sockets:
        sock.close()


def test_macos_forbids_fragmentation_by_its_own_options(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    class Remembering(socket.socket):
        def setsockopt(self, *args: Any) -> None:
            asked.append(args)

    become_macos(monkeypatch)
    for family in (socket.AF_INET, socket.AF_INET6):
        with Remembering(family, socket.SOCK_DGRAM) as sock:
            assert forbid_fragmentation(sock)
    assert asked == [(socket.IPPROTO_IP, 28, 1), (socket.IPPROTO_IPV6, 62, 1)]  # IP_DONTFRAG, IPV6_DONTFRAG


def test_off_linux_the_hint_about_buffers_names_no_command_of_linux(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    become_macos(monkeypatch)
    monkeypatch.setattr(socket_options, "SOCKET_BUFFER_SIZE", (1 << 31) - 1)  # nobody gives so much
    with caplog.at_level(logging.INFO, "fastmux.socket"), socket.socket(type=socket.SOCK_DGRAM) as sock:
        raise_buffers(sock, BufferHint())
    assert "sysctl" not in caplog.text
    assert "remedy: raise the system's limit" in caplog.text
