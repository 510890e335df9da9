"""The `fastmux` command in processes of its own, followed by its log.

Owns: the processes and their lines. May not know: what a test asks of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from fastmux.tunnel.control.stream_clients import StreamClients

START_TIMEOUT = 30.0


def files(keys: Path, name: str) -> list[str]:
    """The options for the certificate of "server", "client" or another."""
    return ["--cert", f"{keys}/{name}.pem", "--key", f"{keys}/{name}.key", "--ca", f"{keys}/ca.pem"]


class Running:
    """A command whose log is read; `port` is of the last line that was waited for."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log: list[str] = []
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log.append(line.decode().rstrip())
            self._news.set()
        self._news.set()

    async def line(self, pattern: str, timeout: float = START_TIMEOUT) -> re.Match[str]:
        """Wait for a line that matches, from the first on."""
        seen = 0
        try:
            async with asyncio.timeout(timeout):
                while True:
                    for text in self.log[seen:]:
                        if match := re.search(pattern, text):
                            return match
                    seen = len(self.log)
                    assert not self._reading.done(), f"it ended, having said {self.log}"
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no line like {pattern!r}, only {self.log}") from None

    async def port(self, pattern: str) -> int:
        """Wait for a line with `PORT` in its pattern, and return that."""
        return int((await self.line(pattern.replace("PORT", r"(\d+)")))[1])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    async def ended(self, timeout: float = 20.0) -> int:
        """Wait for its end; returns the exit code."""
        async with asyncio.timeout(timeout):
            code = await self.process.wait()
            await self._reading
        return code


@contextlib.asynccontextmanager
async def command(*arguments: object, environment: Mapping[str, str] | None = None) -> AsyncIterator[Running]:
    """Start a command that runs on; it is killed if it still runs at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fastmux"),
        *map(str, arguments),
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Running(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await running.ended()


async def finished(*arguments: object, data: bytes = b"") -> tuple[int, bytes, str]:
    """Run a command to its end with `data` on standard input: exit code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fastmux"),
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(START_TIMEOUT):
        output, errors = await process.communicate(data)
    assert process.returncode is not None
    return process.returncode, output, errors.decode()


@contextlib.asynccontextmanager
async def echo_target() -> AsyncIterator[int]:
    """A TCP server that sends back what it gets, and ends when its client ends; gives its port."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    clients = StreamClients(echo)
    server = await asyncio.start_server(clients.serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await clients.close()
        await server.wait_closed()


async def echoes(port: int, data: bytes = b"hello") -> bool:
    """Whether a TCP port answers with what it gets, up to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    answer = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    return answer == data
