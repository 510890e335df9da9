"""Worker processes that serve one port together, each from its own place.

Owns: the processes, started by `spawn`, and replacing them. A worker opens a stream on each connection,
with its index as the label, and echoes every stream that the client opens. May not know: the test.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Self

import fastmux
from e2e.peer import tls_of

START_TIMEOUT = 30.0
STOP_TIMEOUT = 15.0
_CONTEXT = multiprocessing.get_context("spawn")


def work(place: fastmux.WorkerPlace, pipe: Pipe, directory: Path | None) -> None:
    """Be a worker: a process of its own runs this."""
    asyncio.run(_serve(place, pipe, directory))


async def _echo(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
    async for data in channel:
        await channel.send(data)


async def _serve(place: fastmux.WorkerPlace, pipe: Pipe, directory: Path | None) -> None:
    async def handle(conn: fastmux.Connection) -> None:
        async with await conn.open_stream(label=str(place.index)):
            pass
        await conn.serve(_echo)

    tls = fastmux.PLAINTEXT if directory is None else tls_of(directory, "server")
    async with fastmux.listen(handle, worker=place, tls=tls, close_timeout=0) as server:
        pipe.send("ready")
        while await asyncio.to_thread(_asked, pipe) == "count":
            pipe.send(server.counters())


def _asked(pipe: Pipe) -> object:
    """What the parent asks for next; None when it is gone."""
    try:
        return pipe.recv()
    except EOFError:
        return None


class Workers:
    """A group of running workers on one port of 127.0.0.1. An asynchronous context manager."""

    def __init__(self, count: int, directory: Path | None = None) -> None:
        self._directory = directory
        self.places = fastmux.bind_group("127.0.0.1", 0, count)
        self._running: dict[int, tuple[BaseProcess, Pipe]] = {}

    @property
    def port(self) -> int:
        """Where clients connect to."""
        return self.places[0].port

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(self.start(index) for index in range(len(self.places))))
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    async def start(self, index: int) -> None:
        """Start the worker of a place and wait until it serves."""
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=work, args=(self.places[index], theirs, self._directory))
        process.start()
        theirs.close()
        self._running[index] = (process, ours)
        assert await asyncio.to_thread(ours.poll, START_TIMEOUT), f"worker {index} does not start"
        assert ours.recv() == "ready"

    def kill(self, index: int) -> None:
        """End a worker without any warning, as a crash does; its place stays."""
        process, pipe = self._running.pop(index)
        process.kill()
        process.join(STOP_TIMEOUT)
        assert process.exitcode is not None
        process.close()
        pipe.close()

    async def counters(self) -> list[dict[str, int]]:
        """What each worker counted so far."""
        counters = []
        for index in sorted(self._running):
            _, pipe = self._running[index]
            pipe.send("count")
            assert await asyncio.to_thread(pipe.poll, STOP_TIMEOUT), f"worker {index} does not answer"
            counters.append(pipe.recv())
        return counters

    async def stop(self) -> None:
        """End all workers in good order."""
        for index in sorted(self._running):
            process, pipe = self._running[index]
            pipe.send("stop")
            await asyncio.to_thread(process.join, STOP_TIMEOUT)
            assert process.exitcode == 0, f"worker {index} ended with {process.exitcode}"

    def _end(self) -> None:
        for index in list(self._running):
            self.kill(index)
        for place in self.places:
            place.close()
