"""Local listeners, through a whole tunnel."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from pathlib import Path

import pytest

from e2e.support import LoopFactory, run
from fastmux.aio.connection import Connection
from fastmux.tunnel.forwarding.local import Listener
from fastmux.tunnel.forwarding.outlet import Outlet
from fastmux.tunnel.notation.targets import Target
from tunnel.ends import Registry, echo, on_loops, open_tcp, read_all, tcp_server, tunnel, until

ANYWHERE = Target("tcp", "127.0.0.1", 0)


@on_loops
def test_tcp_goes_through_and_both_ends_have_one_line(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with tunnel() as t, tcp_server(echo) as port:
            target = Target("tcp", "127.0.0.1", port)
            listener = Listener(ANYWHERE, target, t.outlet)
            await listener.start()
            client = await open_tcp(listener.bound.port)
            data = os.urandom(3_000_000)
            reader = asyncio.ensure_future(read_all(client))
            await asyncio.get_running_loop().sock_sendall(client, data)
            client.shutdown(socket.SHUT_WR)
            assert await reader == data
            client.close()
            await t.here.ended()
            await t.there.ended()
            assert t.here.outcomes == t.there.outcomes == [("tcp", str(target), "closed")]
            for registry in (t.here, t.there):
                totals = registry.totals()["anonymous"]
                assert totals.received_size == totals.sent_size == len(data)
            await listener.close()

    run(main(), loop_factory)


@on_loops
def test_a_thousand_connections_leave_no_descriptor_and_no_task(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with tunnel() as t, tcp_server(echo) as port:
            listener = Listener(ANYWHERE, Target("tcp", "127.0.0.1", port), t.outlet)
            await listener.start()
            loop = asyncio.get_running_loop()

            async def user(number: int) -> None:
                client = await open_tcp(listener.bound.port)
                with client:
                    await loop.sock_sendall(client, b"x" * (number % 5000 + 1))
                    if number % 3 == 0:
                        return  # goes without a word
                    client.shutdown(socket.SHUT_WR)
                    assert len(await read_all(client)) == number % 5000 + 1

            async def some(first: int) -> None:
                await asyncio.gather(*(user(number) for number in range(first, first + 50)))

            idle_tasks = len(asyncio.all_tasks())
            await some(0)
            await t.here.ended(50)
            await t.there.ended(50)
            await until(lambda: len(asyncio.all_tasks()) <= idle_tasks)
            gc.collect()
            descriptors, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
            for first in range(50, 1050, 50):
                await some(first)
            await t.here.ended(1050)
            await t.there.ended(1050)
            await until(lambda: len(asyncio.all_tasks()) <= tasks)
            gc.collect()
            assert len(os.listdir("/proc/self/fd")) <= descriptors
            assert t.here.records() == t.there.records() == []
            await listener.close()

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("counts descriptors in /proc")
    run(main(), loop_factory)


def test_unix_sockets_at_both_ends(tmp_path: Path) -> None:
    async def main() -> None:
        inner, outer = str(tmp_path / "inner"), str(tmp_path / "outer")
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind(inner)
            server.listen()
            server.setblocking(False)
            client.setblocking(False)
            async with tunnel() as t:
                listener = Listener(Target("unix", path=outer), Target("unix", path=inner), t.outlet)
                await listener.start()
                await loop.sock_connect(client, outer)
                served, _ = await loop.sock_accept(server)
                with served:
                    await loop.sock_sendall(client, b"hello")
                    assert await loop.sock_recv(served, 100) == b"hello"
                client.shutdown(socket.SHUT_WR)
                assert await read_all(client) == b""
                await t.here.ended()
                await listener.close()
                assert not Path(outer).exists()

    run(main())


@on_loops
def test_udp_goes_through_for_each_local_peer(loop_factory: LoopFactory) -> None:
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
                target = Target("udp", *server.getsockname())
                listener = Listener(Target("udp", "127.0.0.1", 0), target, t.outlet)
                await listener.start()
                for text in (b"one", b"two", b"three"):
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                        client.setblocking(False)
                        client.connect(("127.0.0.1", listener.bound.port))
                        client.send(text)
                        assert await loop.sock_recv(client, 100) == text.upper()
                await listener.close()
                assert await t.here.ended(3) == ["listener closed"] * 3
                assert await t.there.ended(3) == ["closed"] * 3
            loop.remove_reader(server)

    run(main(), loop_factory)


def test_a_refused_target_resets_the_local_connection_and_says_why() -> None:
    async def main() -> None:
        async with tunnel() as t:
            listener = Listener(ANYWHERE, Target("tcp", "192.0.2.1", 22), t.outlet)
            await listener.start()
            client = await open_tcp(listener.bound.port)
            with pytest.raises(ConnectionResetError):
                await read_all(client)
            client.close()
            assert (await t.here.ended())[0].startswith("not opened: the far end does not allow it")
            await listener.close()

    run(main())


def test_a_listener_outlives_connections_and_makes_new_users_wait_a_bounded_time() -> None:
    async def main() -> None:
        async with tcp_server(echo) as port:
            current: asyncio.Queue[Connection] = asyncio.Queue()

            async def get_connection() -> Connection:
                connection = await current.get()
                current.put_nowait(connection)
                return connection

            registry = Registry()
            outlet = Outlet(get_connection, registry, open_timeout=0.2)
            listener = Listener(ANYWHERE, Target("tcp", "127.0.0.1", port), outlet)
            await listener.start()
            for _ in range(2):
                client = await open_tcp(listener.bound.port)
                async with tunnel() as t:
                    current.put_nowait(t.pair.client)
                    await asyncio.get_running_loop().sock_sendall(client, b"hi")
                    assert await asyncio.get_running_loop().sock_recv(client, 10) == b"hi"
                with pytest.raises(ConnectionResetError):
                    await read_all(client)
                client.close()
                current.get_nowait()
            late = await open_tcp(listener.bound.port)
            with pytest.raises(ConnectionResetError):
                await read_all(late)
            late.close()
            await listener.close()
            assert [outcome for _, _, outcome in registry.outcomes[:2]] != ["closed", "closed"]
            assert "no answer" in registry.outcomes[2][2]

    run(main())


def test_closing_resets_open_connections_and_stopping_lets_them_finish() -> None:
    async def main() -> None:
        async with tunnel() as t, tcp_server(echo) as port:
            loop = asyncio.get_running_loop()
            listener = Listener(ANYWHERE, Target("tcp", "127.0.0.1", port), t.outlet)
            await listener.start()
            one, two = await open_tcp(listener.bound.port), await open_tcp(listener.bound.port)
            for client in (one, two):
                await loop.sock_sendall(client, b"hi")
                assert await loop.sock_recv(client, 10) == b"hi"
            listener.stop()
            one.shutdown(socket.SHUT_WR)
            assert await read_all(one) == b""
            await t.here.ended()
            await listener.close()
            with pytest.raises(ConnectionResetError):
                await read_all(two)
            assert await t.here.ended(2) == ["closed", "cancelled"]
            one.close()
            two.close()

    run(main())


def test_datagrams_go_to_datagrams_only() -> None:
    outlet = Outlet.__new__(Outlet)
    with pytest.raises(ValueError, match="datagrams"):
        Listener(Target("udp", "127.0.0.1", 1), Target("tcp", "127.0.0.1", 1), outlet)


def test_before_it_starts_a_listener_tells_where_it_will_be_and_may_be_closed() -> None:
    async def main() -> None:
        listener = Listener(ANYWHERE, ANYWHERE, Outlet.__new__(Outlet))
        assert listener.bound == ANYWHERE
        listener.stop()
        await listener.join()
        await listener.close()

    run(main())
