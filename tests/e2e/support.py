"""What the tests of this room share: bounded runs of an event loop, the log, and other processes.

Owns: the harness. May not know: channels.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from fastmux._switches import NO_EXTENSIONS, REQUIRE_EXTENSIONS

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")

TESTS = Path(__file__).resolve().parent.parent
START_TIMEOUT = 20.0
STOP_TIMEOUT = 15.0


def run(
    main: Coroutine[Any, Any, T],
    loop_factory: LoopFactory = asyncio.new_event_loop,
    timeout: float = 60.0,
) -> T:
    """Run a coroutine, at most `timeout` seconds, and return its result.

    Whatever the loop reports to its exception handler fails the test.
    """
    reports: list[dict[str, Any]] = []

    async def bounded() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
        async with asyncio.timeout(timeout):
            return await main

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        result = runner.run(bounded())
    assert not reports, f"the loop reported {reports}"
    return result


class LogWatch(logging.Handler):
    """Keeps what fastmux logs from `level` on, and lets a test wait for a line. A context manager."""

    def __init__(self, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self._logger = logging.getLogger("fastmux")
        self._former_level = self._logger.level
        self.lines: list[str] = []
        self._news = asyncio.Event()

    def __enter__(self) -> LogWatch:
        self._logger.addHandler(self)
        self._logger.setLevel(self.level)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._former_level)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, with its traceback if it has one."""
        self.lines.append(self.format(record))
        self._news.set()

    async def line(self, text: str, timeout: float = 10.0) -> str:
        """Wait for the first line that contains `text`."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    for line in self.lines:
                        if text in line:
                            return line
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no line with {text!r} was logged, only {self.lines}") from None


def environment(core: str) -> dict[str, str]:
    """The environment of a child process that runs one core, "cython" or "python"."""
    result = dict(os.environ)
    result["PYTHONPATH"] = os.pathsep.join(filter(None, (str(TESTS), result.get("PYTHONPATH", ""))))
    result.pop(NO_EXTENSIONS, None)
    result.pop(REQUIRE_EXTENSIONS, None)
    result[NO_EXTENSIONS if core == "python" else REQUIRE_EXTENSIONS] = "1"
    return result


class Process:
    """A child process that tells in lines of JSON on its standard output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self, timeout: float = START_TIMEOUT) -> dict[str, Any]:
        """What it tells next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(timeout):
            line = await self._process.stdout.readline()
        assert line, "the other process ended early (its error is above)"
        fields: dict[str, Any] = json.loads(line)
        return fields

    async def finish(self, timeout: float = STOP_TIMEOUT) -> int:
        """End its standard input and wait for its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(timeout):
            return await self._process.wait()

    async def kill(self) -> None:
        """End it if it has not ended."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def peer(core: str, *arguments: object) -> AsyncIterator[Process]:
    """Start `e2e.peer` with one core in a process of its own; it is killed if it still runs at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "e2e.peer",
        *map(str, arguments),
        env=environment(core),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    child = Process(process)
    try:
        yield child
    finally:
        await child.kill()
