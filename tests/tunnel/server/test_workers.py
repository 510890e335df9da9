"""`serve --workers`: processes that share a port, are asked together, and are replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import fastmux
from e2e.support import LogWatch, linux_only, run
from fastmux.tunnel import constants as c
from fastmux.tunnel.control.lines import ControlError
from fastmux.tunnel.exits import CommandError, ConfigurationError
from fastmux.tunnel.operation.exposition import render
from fastmux.tunnel.server.workers import Worker, WorkerGroup
from fastmux.tunnel.settings.settings import ServeOptions, serve_settings
from tunnel.served import credentials, echo_target, echoes, open_tcp

pytestmark = [linux_only, pytest.mark.slow]

CLIENTS = 32  # ids are random: of so few as 8, all went to the same worker once in 128 runs


def group_of(keys: Path, *rules: str, config: str = "") -> WorkerGroup:
    given = ServeOptions(
        credentials=credentials(keys, "server"),
        config=config,
        listen=("127.0.0.1:0",),
        allow=rules,
        control="none",
        workers=2,
    )
    return WorkerGroup(given, serve_settings(given, os.getpid()), (-1, "text"))


@asynccontextmanager
async def running(group: WorkerGroup) -> AsyncIterator[tuple[asyncio.Task[None], int]]:
    """A group whose workers serve, and its port."""
    ready = asyncio.Event()
    task = asyncio.create_task(group.run(lambda _: ready.set()))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        yield task, int(group.listening[0].rpartition(":")[2])
    finally:
        waiting.cancel()
        task.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)


async def connect(keys: Path, port: int) -> fastmux.Connection:
    return await fastmux.connect("127.0.0.1", port, tls=credentials(keys, "client").tls(), open_timeout=30)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_workers_serve_one_port_are_asked_together_and_drain(keys: Path, tmp_path: Path) -> None:
    async def main() -> None:
        config = tmp_path / "server.toml"
        config.write_text("[[allow]]\nidentity = 'client'\nrules = ['127.0.0.1:1-65535']\n")
        group = group_of(keys, config=str(config))
        async with echo_target() as target, running(group) as (task, port):
            connections = [await connect(keys, port) for _ in range(CLIENTS)]
            streams = [await open_tcp(connection, target) for connection in connections]
            assert all([await echoes(stream) for stream in streams])
            status = await group.status()
            assert status["workers"] == 2
            assert {row["worker"] for row in status["connections"]} == {0, 1}
            assert len(status["channels"]) == CLIENTS
            assert [(row["identity"], row["opened"]) for row in status["identities"]] == [("client", CLIENTS)]
            text = render(await group.families())
            assert "fastmux_workers 2\n" in text
            total = f'fastmux_bytes_total{{identity="client",direction="received"}} {5 * CLIENTS}\n'
            assert total in text

            config.write_text(config.read_text().replace("1-65535", "1"))
            answer = await group.reload()
            assert answer.startswith("worker 0: 0 connections and")
            for stream in streams:
                with pytest.raises(fastmux.ChannelReset):
                    await stream.receive()
                await stream.aclose()
            config.write_text("nonsense")
            with pytest.raises(ConfigurationError):
                await group.reload()

            group.drain()
            await task
            for connection in connections:
                await connection.wait_closed()

    run(main())


def test_a_worker_that_dies_is_replaced_and_a_stop_cuts_off(keys: Path) -> None:
    async def main() -> None:
        group = group_of(keys, "client=127.0.0.1:1-65535")
        async with echo_target() as target, running(group) as (task, port):
            victim = group.running[1].process.pid
            with LogWatch() as log:
                os.kill(victim, signal.SIGKILL)
                await log.line("worker 1 ended with -9")
            await until(lambda: 1 in group.running and group.running[1].process.pid != victim)
            connections = [await connect(keys, port) for _ in range(6)]
            for connection in connections:
                async with await open_tcp(connection, target) as stream:
                    assert await echoes(stream)
            group.stop()
            await task
            for connection in connections:
                await connection.wait_closed()

    run(main())


def test_workers_that_do_not_stay_end_the_group(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c, "WORKER_RESTART_DELAY", 0.0)
    starts: list[int] = []

    async def die(self: WorkerGroup, index: int) -> Worker:
        starts.append(index)
        process = await asyncio.create_subprocess_exec("false")
        reader, writer = await asyncio.open_unix_connection(sock=theirs_of())
        return Worker(process, reader, writer)

    monkeypatch.setattr(WorkerGroup, "_start", die)
    group = group_of(keys, "client=127.0.0.1:1")

    async def main() -> None:
        with pytest.raises(CommandError, match="times within a minute"):
            await group.run(lambda _: None)

    run(main())
    assert max(starts.count(0), starts.count(1)) == c.WORKER_RESTARTS + 1


def theirs_of() -> socket.socket:
    """An end of a line whose other end is closed."""
    ours, theirs = socket.socketpair()
    theirs.close()
    return ours


def test_a_server_has_no_forwards(keys: Path) -> None:
    async def main() -> None:
        group = group_of(keys, "*:1")
        for ask in (group.forward, group.cancel):
            with pytest.raises(ControlError, match="this is a server"):
                await ask("local", "1:a:2")

    run(main())
