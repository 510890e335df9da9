"""Listeners at the far end, kept by the client, through a whole tunnel."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from pathlib import Path

import pytest

from e2e.support import LoopFactory, run
from fastmux.aio.answers import AnswerCode
from fastmux.tunnel.forwarding import reverse as reverse_module
from fastmux.tunnel.forwarding.counters import ChannelRegistry
from fastmux.tunnel.forwarding.reverse import Reverse
from fastmux.tunnel.notation.targets import Forward, Target, parse_forward
from tunnel.ends import Loopback, Tunnel, echo, on_loops, open_tcp, read_all, tcp_server, tunnel, until


async def bound(t: Tunnel, forward: Forward) -> Target:
    t.reverse.add(forward)
    await until(lambda: forward in t.reverse.bound)
    return t.reverse.bound[forward]


@on_loops
def test_tcp_comes_back_to_a_target_of_the_client(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with tunnel() as t, tcp_server(echo) as port:
            forward = parse_forward(f"127.0.0.1:0:127.0.0.1:{port}")
            place = await bound(t, forward)
            data = os.urandom(1_000_000)
            for _ in range(3):
                user = await open_tcp(place.port)
                reader = asyncio.ensure_future(read_all(user))
                await asyncio.get_running_loop().sock_sendall(user, data)
                user.shutdown(socket.SHUT_WR)
                assert await reader == data
                user.close()
            await t.here.ended(3)
            await t.there.ended(3)
            assert t.here.outcomes == [("tcp", f"127.0.0.1:{port}", "closed")] * 3
            assert t.there.outcomes == [("tcp", f"from {place}", "closed")] * 3

    run(main(), loop_factory)


@on_loops
def test_udp_comes_back_for_each_peer(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.setblocking(False)

            def answer() -> None:
                data, address = server.recvfrom(65536)
                server.sendto(data.upper(), address)

            loop.add_reader(server, answer)
            async with tunnel() as t:
                to = Target("udp", *server.getsockname())
                place = await bound(t, Forward(Target("udp", "127.0.0.1", 0), to))
                for text in (b"one", b"two"):
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as user:
                        user.setblocking(False)
                        user.connect(("127.0.0.1", place.port))
                        user.send(text)
                        assert await loop.sock_recv(user, 100) == text.upper()
            loop.remove_reader(server)

    run(main(), loop_factory)


def test_a_unix_listener_leads_to_a_unix_target(tmp_path: Path) -> None:
    async def main() -> None:
        inner, outer = str(tmp_path / "inner"), str(tmp_path / "outer")
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as user:
            server.bind(inner)
            server.listen()
            server.setblocking(False)
            user.setblocking(False)
            async with tunnel() as t:
                await bound(t, Forward(Target("unix", path=outer), Target("unix", path=inner)))
                await loop.sock_connect(user, outer)
                served, _ = await loop.sock_accept(server)
                with served:
                    await loop.sock_sendall(served, b"hi")
                assert await read_all(user) == b"hi"

    run(main())


def test_a_target_that_is_not_there_resets_the_user(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        async with tunnel() as t:
            place = await bound(t, parse_forward(f"127.0.0.1:0:127.0.0.1:{port}"))
            with await open_tcp(place.port) as user, pytest.raises(ConnectionResetError):
                await read_all(user)
            assert "refused: the target refused" in (await t.here.ended())[0]

    run(main())


def test_a_removed_listener_is_gone_and_what_it_accepted_goes_on() -> None:
    async def main() -> None:
        async with tunnel() as t, tcp_server(echo) as port:
            forward = parse_forward(f"127.0.0.1:0:127.0.0.1:{port}")
            place = await bound(t, forward)
            loop = asyncio.get_running_loop()
            user = await open_tcp(place.port)
            await loop.sock_sendall(user, b"a")
            assert await loop.sock_recv(user, 10) == b"a"
            await t.reverse.remove(forward)
            await t.reverse.remove(forward)
            assert t.reverse.forwards == []
            assert forward not in t.reverse.bound
            await until(lambda: all(record.kind != "listen" for record in t.there.records()))
            with pytest.raises(ConnectionRefusedError):
                await open_tcp(place.port)
            await loop.sock_sendall(user, b"b")
            assert await loop.sock_recv(user, 10) == b"b"
            user.close()

    run(main())


def test_what_is_not_allowed_is_not_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with tunnel(Loopback(denied=[2222])) as t:
            forward = parse_forward("127.0.0.1:2222:127.0.0.1:22")
            t.reverse.add(forward)
            t.reverse.add(forward)
            await until(lambda: forward in t.reverse.refusals)
            assert t.reverse.refusals[forward].code == AnswerCode.NOT_ALLOWED
            assert (await t.there.ended())[0].startswith("refused: no rule to listen")

    with caplog.at_level(logging.ERROR):
        run(main())
    assert caplog.messages == [
        "no listener at 127.0.0.1:2222 at the far end: the far end does not allow it"
        " (listening there is not allowed)"
    ]


def test_a_port_that_is_still_held_is_asked_for_again_until_it_is_free(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reverse_module, "LISTEN_RETRY_BASE", 0.01)
    monkeypatch.setattr(reverse_module, "LISTEN_RETRY_MAX", 0.02)

    async def main() -> None:
        async with tunnel() as t:
            with socket.create_server(("127.0.0.1", 0)) as holder:
                forward = parse_forward(f"127.0.0.1:{holder.getsockname()[1]}:127.0.0.1:22")
                t.reverse.add(forward)
                await t.here.ended(3)
            await until(lambda: forward in t.reverse.bound)
            assert forward not in t.reverse.refusals

    with caplog.at_level(logging.WARNING):
        run(main())
    assert sum("in use" in message for message in caplog.messages) == 1


def test_listeners_are_asked_for_on_each_new_connection() -> None:
    async def main() -> None:
        registry = ChannelRegistry()
        reverse = Reverse(registry)
        forward = parse_forward("127.0.0.1:0:127.0.0.1:22")
        reverse.add(forward)
        for _ in range(3):
            async with tunnel() as t:
                running = asyncio.create_task(reverse.run(t.pair.client))
                await until(lambda: forward in reverse.bound)
                with pytest.raises(RuntimeError, match="already"):
                    await reverse.run(t.pair.client)
                t.pair.server.abort()
                await running
                assert reverse.bound == {}
        assert registry.records() == []

    run(main())


def test_what_cannot_be_is_refused_at_once() -> None:
    reverse = Reverse(ChannelRegistry())
    with pytest.raises(ValueError, match="datagrams"):
        reverse.add(Forward(Target("udp", "127.0.0.1", 1), Target("tcp", "127.0.0.1", 1)))
    with pytest.raises(ValueError, match="255"):
        reverse.add(Forward(Target("tcp", "a" * 250, 1), Target("tcp", "127.0.0.1", 1)))
    assert reverse.forwards == []
