"""`serve` in one process: start, reload from files, drain, stop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import fastmux
from e2e.support import LogWatch, run
from fastmux.exceptions import ChannelReset, ConnectionClosed
from fastmux.security.certificates import issue_client, make_ca, write_credential
from fastmux.tunnel.control.lines import ControlError
from fastmux.tunnel.exits import ConfigurationError
from fastmux.tunnel.server.serving import Serving
from fastmux.tunnel.settings.credentials import checked_tls
from fastmux.tunnel.settings.settings import ServeOptions, serve_settings
from tunnel.served import credentials, echo_target, echoes, open_tcp


def options(keys: Path, *rules: str, config: str = "") -> ServeOptions:
    return ServeOptions(
        credentials=credentials(keys, "server"),
        config=config,
        listen=("127.0.0.1:0",),
        allow=rules,
        control="none",
    )


@asynccontextmanager
async def started(given: ServeOptions) -> AsyncIterator[tuple[Serving, asyncio.Task[None], int]]:
    """A serving that is ready, its task, and its port; stopped at the end."""
    serving = Serving(given, serve_settings(given, os.getpid()))
    ready = asyncio.Event()
    task = asyncio.create_task(serving.run(lambda _: ready.set()))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if task.done():
            await task
        yield serving, task, int(serving.listening[0].rpartition(":")[2])
    finally:
        serving.stop()
        with suppress(ConfigurationError):
            await task


async def connect(keys: Path, port: int, name: str = "client") -> fastmux.Connection:
    return await fastmux.connect("127.0.0.1", port, tls=credentials(keys, name).tls())


def test_the_library_is_told_the_choice_of_retry(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    listen = fastmux.listen

    def spy(*arguments: Any, **settings: Any) -> Any:
        told.append(settings["retry"])
        return listen(*arguments, **settings)

    monkeypatch.setattr(fastmux, "listen", spy)
    config = tmp_path / "server.toml"
    config.write_text('[server]\nretry = "always"\n')

    async def main() -> None:
        for given in (options(keys, "*=127.0.0.1:1"), options(keys, "*=127.0.0.1:1", config=str(config))):
            async with started(given) as (_, _, port):
                await (await connect(keys, port)).aclose()

    run(main())
    assert told == ["auto", "always"]


def test_it_serves_until_it_is_drained(keys: Path) -> None:
    async def main() -> None:
        async with (
            echo_target() as target,
            started(options(keys, "*=127.0.0.1:1-65535")) as (serving, task, port),
        ):
            connection = await connect(keys, port)
            stream = await open_tcp(connection, target)
            assert (await serving.status())["listening"] == [f"127.0.0.1:{port}"]
            serving.drain()
            assert await echoes(stream)
            assert not task.done()
            await stream.send_eof()
            async for _ in stream:
                pass
            await stream.aclose()
            await task
            await connection.aclose()

    run(main())


def test_clients_of_a_server_that_was_killed_hear_so_from_the_next_one(keys: Path) -> None:
    """As its socket is closed first, the first one says nothing of its end."""

    async def main() -> None:
        given = options(keys, "*=127.0.0.1:1")
        async with started(given) as (first, _, port):
            connection = await connect(keys, port)
            await connection.ping()
            for server in first._servers:
                for driver in server._drivers:
                    driver.transport.close()
            again = replace(given, listen=(f"127.0.0.1:{port}",))
            async with started(again):
                async with asyncio.timeout(5):
                    with pytest.raises(ConnectionClosed, match="restarted"):
                        await connection.ping()

    run(main())


def test_a_drain_is_over_when_its_time_is(keys: Path) -> None:
    async def main() -> None:
        given = replace(options(keys, "*=127.0.0.1:1-65535"), drain_timeout=0.01)
        async with echo_target() as target, started(given) as (serving, task, port):
            connection = await connect(keys, port)
            async with await open_tcp(connection, target) as stream:
                serving.drain()
                await task
                with pytest.raises((ChannelReset, ConnectionClosed)):
                    await stream.receive()
            await connection.aclose()

    run(main())


def test_a_stop_ends_a_drain_that_takes_long(keys: Path) -> None:
    async def main() -> None:
        async with (
            echo_target() as target,
            started(options(keys, "*=127.0.0.1:1-65535")) as (serving, task, port),
        ):
            connection = await connect(keys, port)
            async with await open_tcp(connection, target):
                serving.drain()
                serving.stop()
                await task
            await connection.aclose()

    run(main())


def test_a_reload_takes_rules_from_the_file_and_warns_of_what_takes_a_restart(
    keys: Path, tmp_path: Path
) -> None:
    async def main() -> None:
        config = tmp_path / "server.toml"
        config.write_text("[[allow]]\nidentity = 'client'\nrules = ['127.0.0.1:1']\n")
        async with started(options(keys, config=str(config))) as (serving, _, port):
            connection = await connect(keys, port)
            await connection.ping()
            config.write_text(
                "[server]\nworkers = 7\n[[allow]]\nidentity = 'other'\nrules = ['127.0.0.1:1']\n"
            )
            with LogWatch() as log:
                assert (await serving.reload()).startswith("1 connections")
                await log.line("another value for workers")
            await connection.wait_closed()
            config.write_text("[nonsense]\n")
            with pytest.raises(ConfigurationError, match="unknown"):
                await serving.reload()
            other = await connect(keys, port, "other")  # the rules of before hold
            await other.ping()
            await other.aclose()

    run(main())


def test_new_certificates_are_used_for_new_connections_only(keys: Path, tmp_path: Path) -> None:
    """The CA is exchanged: who is connected stays, newcomers need a certificate of the new one."""

    async def main() -> None:
        directory = tmp_path / "keys"
        directory.mkdir(mode=0o700)
        for name in ("ca.pem", "server.pem", "server.key"):
            (directory / name).write_bytes((keys / name).read_bytes())
            (directory / name).chmod(0o600)
        async with started(options(directory, "*=127.0.0.1:1")) as (serving, _, port):
            connection = await connect(keys, port)
            await connection.ping()
            ca = make_ca("another CA")
            (directory / "ca.pem").unlink()
            write_credential(directory, "ca", ca)
            (directory / "ca.pem").write_bytes(ca.certificate_pem)
            write_credential(directory, "new", issue_client(ca, "new"))
            await serving.reload()
            await connection.ping()
            with pytest.raises(fastmux.AuthenticationError):
                await connect(keys, port, "other")
            tls = fastmux.TLSConfig(directory / "new.pem", directory / "new.key", keys / "ca.pem")
            async with fastmux.connect("127.0.0.1", port, tls=tls) as newcomer:
                await newcomer.ping()
            await connection.aclose()
            (directory / "server.pem").write_text("half a file")
            with pytest.raises(ConfigurationError, match=r"server\.pem"):
                await serving.reload()

    run(main())


def test_an_address_that_is_taken_is_a_configuration_error(keys: Path) -> None:
    async def main() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            given = replace(options(keys, "*:1"), listen=(f"127.0.0.1:{taken.getsockname()[1]}",))
            with pytest.raises(ConfigurationError, match=rf"-l {given.listen[0]}: cannot listen: .*in use"):
                async with started(given):
                    pass

    run(main())


def test_certificates_are_looked_at_before_anything_starts(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        checked_tls(replace(credentials(keys, "server"), ca=str(tmp_path / "ca.pem")), "server")


def test_a_server_has_no_forwards(keys: Path) -> None:
    async def main() -> None:
        async with started(options(keys, "*:1")) as (serving, _, _):
            for ask in (serving.forward, serving.cancel):
                with pytest.raises(ControlError, match="this is a server"):
                    await ask("local", "1:a:2")

    run(main())
