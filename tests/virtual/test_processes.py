"""A peer in another process that is stopped (F30) or killed (F31): real sockets, real time.

With FASTMUX_TEST_LONG=1 every case runs on each loop, and stops last three seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import pytest

from aio.conftest import LoopFactory
from fastmux import PLAINTEXT, Connection, ConnectionClosed, connect, core
from fastmux._switches import is_on
from virtual.peer import DOWNLOAD_SIZE, content

TESTS = Path(__file__).parent.parent
LONG = is_on(os.environ.get("FASTMUX_TEST_LONG"))
STOPPED = 3.0 if LONG else 0.8  # seconds
IDLE_TIMEOUT = 1.0  # seconds, where the peer is killed
UPLOAD_SIZE = 4_000_000

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP"),
    pytest.mark.slow,
]


@contextlib.asynccontextmanager
async def far_process(idle_timeout: float) -> AsyncIterator[tuple[int, int]]:
    """A server in a process of its own: its process id and its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "virtual.peer",
        str(idle_timeout),
        env={**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield process.pid, int(await asyncio.wait_for(process.stdout.readline(), 20))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def play(loop_factory: LoopFactory, main: Callable[[], Awaitable[None]]) -> None:
    """Run it; the loop must have nothing to report, and the core nothing left."""
    reports: list[object] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
        async with asyncio.timeout(40):
            await main()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(watched())
    for _ in range(3):  # what a finalizer held on to is the next round's
        gc.collect()
    assert reports == []
    assert core.live() == (0, 0)


async def upload(connection: Connection) -> None:
    async with await connection.open_stream("upload") as stream:
        await stream.send(content(UPLOAD_SIZE))
        await stream.send_eof()
        assert await stream.receive() == sha256(content(UPLOAD_SIZE)).digest()


async def download(connection: Connection) -> None:
    async with await connection.open_stream("download") as stream:
        assert b"".join([chunk async for chunk in stream]) == content(DOWNLOAD_SIZE)


@pytest.mark.parametrize("transfer", [upload, download] if LONG else [download])
def test_a_peer_that_is_stopped_for_a_while_goes_on_as_if_nothing_had_been(
    loop_factory: LoopFactory, transfer: Callable[[Connection], Awaitable[None]]
) -> None:
    async def main() -> None:
        async with (
            far_process(10.0) as (process, port),
            connect("127.0.0.1", port, tls=PLAINTEXT, idle_timeout=10.0) as connection,
        ):
            running = asyncio.ensure_future(transfer(connection))
            while connection.stats.bytes_sent + connection.stats.bytes_received < 100_000:
                await asyncio.sleep(0)
            os.kill(process, signal.SIGSTOP)
            await asyncio.sleep(STOPPED)
            assert not running.done()
            os.kill(process, signal.SIGCONT)
            continued_at = time.monotonic()
            await running
            assert time.monotonic() - continued_at < 10.0

    play(loop_factory, main)


def test_all_that_waits_for_a_peer_that_was_killed_ends_with_one_error(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with far_process(IDLE_TIMEOUT) as (process, port):
            connection = await connect("127.0.0.1", port, tls=PLAINTEXT, idle_timeout=IDLE_TIMEOUT)
            streams = [await connection.open_stream("silent") for _ in range(4)]
            messages = await connection.open_message_channel()
            while not 0 < connection.stats.held_size < 1_000_000:  # a part of the message is here
                await asyncio.sleep(0)
            os.kill(process, signal.SIGKILL)
            killed_at = time.monotonic()

            async def fill() -> None:
                while True:
                    await streams[1].send(bytes(65536))

            endings = await asyncio.gather(
                *(streams[0].receive(), fill(), messages.receive(), connection.accept(), connection.ping()),
                *(connection.open_stream(), connection.receive_datagram()),
                return_exceptions=True,
            )
            seconds = time.monotonic() - killed_at
            (text,) = {str(ending) for ending in endings}
            assert text.startswith("connection closed by this end (code 0x13): the peer was silent for 1")
            assert all(isinstance(ending, ConnectionClosed) for ending in endings)
            assert IDLE_TIMEOUT * 0.9 < seconds < IDLE_TIMEOUT + 3.0  # or three probe timeouts
            await connection.aclose()
            for channel in (*streams, messages):
                await channel.aclose()

    play(loop_factory, main)
