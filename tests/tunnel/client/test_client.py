"""The forwards of a tunnel over a connection that comes and goes."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

import fastmux
from e2e.support import run
from fastmux.aio.answers import OpenRefused
from fastmux.tunnel.client.client import TunnelClient
from fastmux.tunnel.client.supervisor import Supervisor
from fastmux.tunnel.control.lines import ControlError
from fastmux.tunnel.notation.targets import Forward
from fastmux.tunnel.operation.exposition import render
from fastmux.tunnel.settings.settings import Policy, forward_of
from tunnel.served import credentials, echo_target, policy, served

EVERYTHING = policy("client=127.0.0.1:1-65535", "client=listen:127.0.0.1:1024-65535")


@asynccontextmanager
async def tunnel(
    keys: Path, port: int, limit: int | None = None
) -> AsyncIterator[tuple[TunnelClient, list[tuple[Forward, OpenRefused]]]]:
    """A client with a supervisor that runs, and what it was refused."""
    refused: list[tuple[Forward, OpenRefused]] = []
    tls = credentials(keys, "client").tls()

    async def connect() -> fastmux.Connection:
        return await fastmux.connect("127.0.0.1", port, tls=tls, open_timeout=5)

    client = TunnelClient(
        lambda on_open: Supervisor(connect, retry_max=0.01, on_open=on_open),
        limit=limit,
        on_refused=lambda forward, refusal: refused.append((forward, refusal)),
    )
    task = asyncio.create_task(client.supervisor.run())
    try:
        yield client, refused
    finally:
        client.supervisor.close()
        await client.close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def forwarding(
    keys: Path, rules: Policy
) -> AsyncIterator[tuple[TunnelClient, list[tuple[Forward, OpenRefused]]]]:
    """As `tunnel`, to a server of its own."""
    async with served(keys, rules) as world, tunnel(keys, world.server.port) as ends:
        yield ends


def port_of(text: str) -> int:
    """The port in a line such as "-L 127.0.0.1:2022 goes to …"."""
    return int(text.split()[1].rpartition(":")[2])


async def echoes(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer == b"hello"


async def can_connect(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


async def bound(client: TunnelClient, forward: str) -> int:
    """The port where the server listens for a -R."""
    while True:
        for line in client.status()["forwards"]:
            if line.startswith("-R") and line.endswith(forward):
                port = port_of(line)
                if port:
                    return port
        await asyncio.sleep(0.001)


def test_a_forward_listens_before_there_is_a_connection_and_outlives_each(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, forwarding(keys, EVERYTHING) as (client, _):
            port = port_of(await client.add(forward_of("local", f"0:127.0.0.1:{target}")))
            assert await echoes(port)
            first = await client.supervisor.get_connection()
            first.abort()
            assert await echoes(port)
            assert client.status()["reconnects"] == 1
            assert "fastmux_reconnects_total 1\n" in render(client.families())

    run(main())


def test_a_reverse_forward_is_asked_for_again_on_the_next_connection(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, forwarding(keys, EVERYTHING) as (client, _):
            await client.add(forward_of("remote", f"0:127.0.0.1:{target}"))
            to = f"127.0.0.1:{target}"
            assert await echoes(await bound(client, to))
            first = await client.supervisor.get_connection()
            first.abort()
            while client.supervisor.connection in (first, None):
                await asyncio.sleep(0.001)
            assert await echoes(await bound(client, to))

    run(main())


def test_a_connection_that_takes_anothers_place_at_once_gets_its_reverse_forwards(keys: Path) -> None:
    """The one before is still being tidied up when the next one is announced."""

    async def never() -> fastmux.Connection:
        raise AssertionError("this test connects by itself")

    async def main() -> None:
        announce: list[Callable[[fastmux.Connection], None]] = []

        def supervise(on_open: Callable[[fastmux.Connection], None]) -> Supervisor:
            announce.append(on_open)
            return Supervisor(never)

        async with echo_target() as target, served(keys, EVERYTHING) as world:
            client = TunnelClient(supervise)
            await client.add(forward_of("remote", f"0:127.0.0.1:{target}"))
            first, second = await world.connect(), await world.connect()
            announce[0](first)
            assert await echoes(await bound(client, f"127.0.0.1:{target}"))
            first.abort()
            announce[0](second)
            await first.wait_closed()
            for _ in range(50):
                await asyncio.sleep(0)
            assert await echoes(await bound(client, f"127.0.0.1:{target}"))
            await client.close()
            second.abort()

    run(main())


def test_a_refused_reverse_forward_is_told_and_shown(keys: Path) -> None:
    async def main() -> None:
        async with forwarding(keys, policy("client=127.0.0.1:1")) as (client, refused):
            await client.add(forward_of("remote", "2201:127.0.0.1:22"))
            while not refused:
                await asyncio.sleep(0.001)
            assert "refused: " in client.status()["forwards"][0]

    run(main())


def test_a_reverse_forward_that_is_added_now_says_where_the_server_listens(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, forwarding(keys, EVERYTHING) as (client, _):
            text = await client.add_now(forward_of("remote", f"0:127.0.0.1:{target}"))
            assert re.fullmatch(rf"-R 127.0.0.1:[1-9]\d* at the server goes to 127.0.0.1:{target} here", text)
            assert "goes to" in await client.add_now(forward_of("local", f"0:127.0.0.1:{target}"))

    run(main())


def test_a_reverse_forward_that_is_added_now_and_refused_is_an_error_and_not_kept(keys: Path) -> None:
    """`ctl` spoke of success, and whoever asked had to look into the log."""

    async def main() -> None:
        async with forwarding(keys, policy("client=127.0.0.1:1")) as (client, _):
            refused = forward_of("remote", "2201:127.0.0.1:22")
            with pytest.raises(ControlError, match="-R 127.0.0.1:2201:127.0.0.1:22 is refused: .*not allow"):
                await client.add_now(refused)
            assert client.status()["forwards"] == []
            await client.add(refused)
            with pytest.raises(ControlError, match="is refused"):
                await client.add_now(refused)
            assert len(client.status()["forwards"]) == 1  # it was wanted before

    run(main())


def test_a_server_that_is_not_there_is_waited_for_and_no_longer_than_it_may(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            async with tunnel(keys, silent.getsockname()[1]) as (client, _):
                text = await client.add_now(forward_of("remote", "2201:127.0.0.1:22"))
                assert text.endswith("once the server answers: it has not yet")

    monkeypatch.setattr("fastmux.tunnel.client.client.REVERSE_ANSWER_TIMEOUT", 0.01)
    run(main())


def test_an_open_proxy_is_warned_of(keys: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with forwarding(keys, EVERYTHING) as (client, _):
            await client.add(forward_of("socks5", "0"))
            await client.add(forward_of("http", "0.0.0.0:0", {"ann": "secret"}))
            assert "is open" not in caplog.text
            await client.add(forward_of("socks5", "*:0"))
            assert "the SOCKS5 proxy at *:0 is open" in caplog.text

    run(main())


def test_a_cancelled_forward_listens_no_more_and_its_connections_go_on(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, forwarding(keys, EVERYTHING) as (client, _):
            forward = forward_of("local", f"0:127.0.0.1:{target}")
            port = port_of(await client.add(forward))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            assert "cancelled" in await client.cancel(forward)
            while await can_connect(port):
                await asyncio.sleep(0)
            writer.write(b"after")
            assert await reader.readexactly(5) == b"after"
            writer.close()
            await writer.wait_closed()
            for kind, spec in (("local", f"0:127.0.0.1:{target}"), ("remote", "1:a:2"), ("socks5", "0")):
                with pytest.raises(ControlError, match="there is no"):
                    await client.cancel(forward_of(kind, spec))

    run(main())


def test_a_forward_that_is_there_is_not_there_twice_and_a_taken_port_is_an_error(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as taken, forwarding(keys, EVERYTHING) as (client, _):
            await client.add(forward_of("local", "0:a:2"))
            with pytest.raises(ControlError, match="there already"):
                await client.add(forward_of("local", "0:a:2"))
            with pytest.raises(OSError, match=str(taken)):
                await client.add(forward_of("local", f"{taken}:a:2"))
            await client.add(forward_of("remote", "0:127.0.0.1:1"))
            await client.cancel(forward_of("remote", "0:127.0.0.1:1"))

    run(main())


def test_proxies_are_forwards_too(keys: Path) -> None:
    async def main() -> None:
        async with served(keys, EVERYTHING) as world, tunnel(keys, world.server.port) as (client, _):
            for kind, text in (
                ("socks5", "SOCKS5 proxy at 127.0.0.1:"),
                ("http", "HTTP proxy at 127.0.0.1:"),
            ):
                forward = forward_of(kind, "0", {"ann": "secret"})
                assert (await client.add(forward)).startswith(text)
                await client.cancel(forward_of(kind, "0"))

    run(main())


def test_a_drain_waits_for_what_is_open_and_no_longer_than_it_may(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, forwarding(keys, EVERYTHING) as (client, _):
            port = port_of(await client.add(forward_of("local", f"0:127.0.0.1:{target}")))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"x")
            assert await reader.readexactly(1)
            await client.drain(0.01)
            assert len(client.registry.records()) == 1
            draining = asyncio.create_task(client.drain(30))
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            await draining
            assert client.registry.records() == []

    run(main())


def test_the_limit_is_changed_where_there_is_one(keys: Path) -> None:
    async def main() -> None:
        async with served(keys, EVERYTHING) as world:
            async with tunnel(keys, world.server.port, limit=1000) as (client, _):
                assert client.limit_to(500)
                assert not client.limit_to(None)
            async with tunnel(keys, world.server.port) as (client, _):
                assert client.limit_to(None)
                assert not client.limit_to(500)

    run(main())


def test_what_is_open_is_shown_under_the_name_of_the_server(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, forwarding(keys, EVERYTHING) as (client, _):
            await client.supervisor.get_connection()
            port = port_of(await client.add(forward_of("local", f"0:127.0.0.1:{target}")))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello")
            await reader.readexactly(5)
            status = client.status()
            assert status["state"] == "open"
            assert status["connections"][0]["identity"] == "server"
            assert [(row["identity"], row["sent"]) for row in status["channels"]] == [("server", 5)]
            assert status["forwards"] == [f"-L 127.0.0.1:{port} -> 127.0.0.1:{target}"]
            writer.close()
            await writer.wait_closed()

    run(main())
