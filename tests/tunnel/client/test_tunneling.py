"""`tunnel` in one process: start, failures of forwards, reload, drain, stop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.support import LogWatch, run
from fastmux.exceptions import AuthenticationError, ConnectionClosed
from fastmux.security.certificates import issue_client, make_ca, write_credential
from fastmux.tunnel.client.tunneling import Tunneling
from fastmux.tunnel.exits import CommandError, ConfigurationError
from fastmux.tunnel.operation.exposition import render
from fastmux.tunnel.settings.settings import TunnelOptions, tunnel_settings
from tunnel.served import credentials, echo_target, policy, served

EVERYTHING = policy("client=127.0.0.1:1-65535", "client=listen:127.0.0.1:1024-65535")


def options(
    keys: Path, port: int, *local: str, remote: tuple[str, ...] = (), config: str = ""
) -> TunnelOptions:
    return TunnelOptions(
        server=("127.0.0.1", port),
        credentials=credentials(keys, "client"),
        config=config,
        local=local,
        remote=remote,
        control="none",
    )


def make(given: TunnelOptions, *, strict: bool = False) -> Tunneling:
    return Tunneling(given, tunnel_settings(given, os.getpid()), exit_on_forward_failure=strict)


@asynccontextmanager
async def running(tunnel: Tunneling) -> AsyncIterator[asyncio.Task[None]]:
    """A tunnel with an open connection; stopped at the end."""
    task = asyncio.create_task(tunnel.run(lambda _: None))
    try:
        await tunnel.client.supervisor.get_connection()
        yield task
    finally:
        tunnel.stop()
        await task


def local_port(tunnel: Tunneling, index: int = 0) -> int:
    line: str = tunnel.client.status()["forwards"][index]
    return int(line.split()[1].rpartition(":")[2])


async def echoes(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    answer = await reader.readexactly(5)
    writer.close()
    await writer.wait_closed()
    return answer == b"hello"


def test_a_tunnel_forwards_until_it_is_stopped(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, served(keys, EVERYTHING) as world:
            tunnel = make(options(keys, world.server.port, f"0:127.0.0.1:{target}"))
            async with running(tunnel):
                assert await echoes(local_port(tunnel))
                status = await tunnel.status()
                assert status["server"] == f"127.0.0.1:{world.server.port}"
                assert 'fastmux_connections_open{identity="server"} 1\n' in render(await tunnel.families())

    run(main())


def test_a_forward_that_fails_is_logged_and_the_others_go_on_or_it_ends(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, served(keys, EVERYTHING) as world:
            given = options(keys, world.server.port, f"{target}:a:1", f"0:127.0.0.1:{target}")
            tunnel = make(given)
            with LogWatch() as log:
                async with running(tunnel):
                    await log.line("the others go on")
                    assert await echoes(local_port(tunnel))
            with pytest.raises(ConfigurationError, match=f"-L 127.0.0.1:{target}"):
                await make(given, strict=True).run(lambda _: None)

    run(main())


def test_a_tunnel_of_which_no_forward_can_begin_ends(keys: Path) -> None:
    """It said that the others go on, and ran on with nothing."""

    async def main() -> None:
        async with echo_target() as target, served(keys, EVERYTHING) as world:
            given = options(keys, world.server.port, f"{target}:a:1", f"{target}:b:1")
            with pytest.raises(ConfigurationError) as caught:
                await make(given).run(lambda _: None)
            lines = str(caught.value).splitlines()
            assert len(lines) == 2
            assert all(line.startswith(f"-L 127.0.0.1:{target}: cannot listen at ") for line in lines)

    run(main())


def test_a_refused_reverse_forward_ends_a_strict_tunnel(keys: Path) -> None:
    async def main() -> None:
        async with served(keys, policy("client=127.0.0.1:1")) as world:
            given = options(keys, world.server.port, remote=("2201:127.0.0.1:22",))
            with pytest.raises(CommandError, match="-R 127.0.0.1:2201:127.0.0.1:22: .*not allow") as caught:
                await make(given, strict=True).run(lambda _: None)
            assert caught.value.code == 5

    run(main())


def test_a_certificate_of_another_ca_ends_it_at_once(keys: Path, tmp_path: Path) -> None:
    async def main() -> None:
        tmp_path.chmod(0o700)
        write_credential(tmp_path, "stranger", issue_client(make_ca("another"), "client"))
        async with served(keys, EVERYTHING) as world:
            given = options(keys, world.server.port)
            stranger = replace(
                given.credentials, cert=str(tmp_path / "stranger.pem"), key=str(tmp_path / "stranger.key")
            )
            with pytest.raises(AuthenticationError):
                await make(replace(given, credentials=stranger)).run(lambda _: None)

    run(main())


def test_an_identity_without_rules_ends_it_at_once(keys: Path) -> None:
    async def main() -> None:
        async with served(keys, policy("other=127.0.0.1:1")) as world:
            with pytest.raises(ConnectionClosed, match="may not do anything here"):
                await make(options(keys, world.server.port)).run(lambda _: None)

    run(main())


def test_a_drain_lets_connections_finish(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, served(keys, EVERYTHING) as world:
            tunnel = make(options(keys, world.server.port, f"0:127.0.0.1:{target}"))
            async with running(tunnel) as task:
                port = local_port(tunnel)
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"x")
                assert await reader.readexactly(1)
                tunnel.drain()
                while await can_connect(port):
                    await asyncio.sleep(0)
                writer.write(b"y")
                assert await reader.readexactly(1) == b"y"
                assert not task.done()
                writer.close()
                await writer.wait_closed()
                await task

    run(main())


async def can_connect(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_a_stop_ends_a_drain(keys: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, served(keys, EVERYTHING) as world:
            tunnel = make(options(keys, world.server.port, f"0:127.0.0.1:{target}"))
            async with running(tunnel) as task:
                port = local_port(tunnel)
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"x")
                assert await reader.readexactly(1)
                tunnel.drain()
                while await can_connect(port):
                    await asyncio.sleep(0)
                tunnel.stop()
                await task
                with pytest.raises(ConnectionError):
                    await reader.readexactly(1)
                writer.close()
                with pytest.raises(ConnectionError):
                    await writer.wait_closed()

    run(main())


def test_a_reload_begins_what_is_new_and_ends_what_is_gone(keys: Path, tmp_path: Path) -> None:
    async def main() -> None:
        async with echo_target() as target, served(keys, EVERYTHING) as world:
            config = tmp_path / "client.toml"

            def write(*forwards: str) -> None:
                config.write_text(
                    "[client]\nlimit = '100M'\n"
                    + "".join(f"[[client.forward]]\n{forward}\n" for forward in forwards)
                )

            old = f"type = 'local'\nlisten = '0'\nto = '127.0.0.1:{target}'"
            write(old)
            tunnel = make(options(keys, world.server.port, config=str(config)))
            async with running(tunnel):
                port = local_port(tunnel)
                write("type = 'socks5'\nlisten = '0'")
                assert await tunnel.reload() == "1 forwards began, 1 ended"
                while await can_connect(port):
                    await asyncio.sleep(0)
                assert [line[:2] for line in tunnel.client.status()["forwards"]] == ["-D"]
                write(old, "type = 'socks5'\nlisten = '0'")
                assert await tunnel.reload() == "1 forwards began, 0 ended"
                config.write_text("[client]\n" + f"[[client.forward]]\n{old}\n")
                with LogWatch() as log:
                    await tunnel.reload()
                    await log.line("takes a restart")
                config.write_text("nonsense")
                with pytest.raises(ConfigurationError):
                    await tunnel.reload()

    run(main())


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_forwards_are_added_and_cancelled_while_it_runs(keys: Path, kind: str) -> None:
    async def main() -> None:
        async with echo_target() as target, served(keys, EVERYTHING) as world:
            tunnel = make(options(keys, world.server.port))
            async with running(tunnel):
                ask: Callable[[str, str], Awaitable[str]]
                for ask in (tunnel.forward, tunnel.cancel):
                    await ask(kind, f"0:127.0.0.1:{target}")
                assert tunnel.client.status()["forwards"] == []
                with pytest.raises(ConfigurationError):
                    await tunnel.forward(kind, "nonsense")

    run(main())
