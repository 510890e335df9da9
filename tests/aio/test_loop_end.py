"""What is open when asyncio's loop ends is closed, and its peers are told."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aio.conftest import LoopFactory
from fastmux import PLAINTEXT, Connection, ConnectionClosed, connect, listen
from fastmux.aio.loop_end import LoopEnd

Program = Callable[[int, asyncio.Event], Coroutine[Any, Any, None]]


def run(main: Coroutine[Any, Any, None], loop_factory: LoopFactory) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main)


def test_the_call_comes_behind_the_tasks_and_once(loop_factory: LoopFactory) -> None:
    said: list[str] = []
    kept: list[object] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            kept.append(LoopEnd(lambda: said.append("begun by a task that was cancelled")))
            said.append("task")

    async def main() -> None:
        kept.append(LoopEnd(lambda: said.append("kept")))
        cancelled = LoopEnd(lambda: said.append("cancelled"))
        cancelled.cancel()
        cancelled.cancel()
        kept.append(asyncio.create_task(work()))
        await asyncio.sleep(0)

    run(main(), loop_factory)
    assert said[0] == "task"
    assert sorted(said[1:]) == ["begun by a task that was cancelled", "kept"]


class Peer:
    """A server in a thread, with a loop that goes on when a program's has ended."""

    def __init__(self) -> None:
        self.told: list[ConnectionClosed] = []
        self.port = 0
        self._is_listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Peer:
        self._thread.start()
        assert self._is_listening.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        heard = asyncio.Event()

        async def handle(connection: Connection) -> None:
            try:
                await connection.accept()
            except ConnectionClosed as error:
                self.told.append(error)
            heard.set()

        async with listen(handle, "127.0.0.1", 0, tls=PLAINTEXT) as server, asyncio.timeout(20):
            self.port = server.port
            self._is_listening.set()
            await heard.wait()


async def in_a_block(port: int, opened: asyncio.Event) -> None:
    async with connect("127.0.0.1", port, tls=PLAINTEXT) as connection:
        opened.set()
        await connection.accept()


async def in_a_loop(port: int, opened: asyncio.Event) -> None:
    async for connection in connect("127.0.0.1", port, tls=PLAINTEXT):
        opened.set()
        await connection.accept()


async def forgotten(port: int, opened: asyncio.Event) -> None:
    connection = await connect("127.0.0.1", port, tls=PLAINTEXT)
    opened.set()
    await connection.accept()


@pytest.mark.parametrize("program", [in_a_block, in_a_loop, forgotten])
def test_a_task_in_the_background_leaves_nothing_behind(
    program: Program, loop_factory: LoopFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """The program ends while a task has a connection: nothing is pending, and the peer knows at once."""

    async def main(port: int) -> None:
        opened = asyncio.Event()
        task = asyncio.create_task(program(port, opened))
        await opened.wait()
        assert not task.done()

    with Peer() as peer:
        run(main(peer.port), loop_factory)
        gc.collect()  # what is pending or open still complains now
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert [error.remote for error in peer.told] == [True]
