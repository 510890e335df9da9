"""A server process that is killed and started again: its clients notice, and connect anew."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe

import pytest

import fastmux
from e2e.support import run
from fastmux import constants as c

pytestmark = pytest.mark.slow

START_TIMEOUT = 30.0
KEY = b"a key that outlives the process"
_CONTEXT = multiprocessing.get_context("spawn")


def serve(port: int, reset_key: bytes | None, pipe: Pipe) -> None:
    """Be a server that lets connections be; a process of its own runs this."""

    async def keep(conn: fastmux.Connection) -> None:
        await conn.wait_closed()

    async def main() -> None:
        tls = fastmux.PLAINTEXT
        async with fastmux.listen(keep, "127.0.0.1", port, tls=tls, reset_key=reset_key) as server:
            pipe.send(server.port)
            await server.serve_forever()

    asyncio.run(main())


@contextmanager
def process(port: int = 0, reset_key: bytes | None = None) -> Iterator[int]:
    """A server process, which ends by SIGKILL; gives its port."""
    mine, theirs = _CONTEXT.Pipe()
    child = _CONTEXT.Process(target=serve, args=(port, reset_key, theirs))
    child.start()
    try:
        assert mine.poll(START_TIMEOUT)
        yield mine.recv()
    finally:
        child.kill()
        child.join()
        child.close()
        mine.close()
        theirs.close()


def test_with_a_reset_key_the_clients_of_a_killed_server_notice_with_their_next_packet() -> None:
    async def main() -> None:
        with process(reset_key=KEY) as port:
            conn = await fastmux.connect("127.0.0.1", port, tls=fastmux.PLAINTEXT)
            assert await conn.ping() < 1.0
        with process(port, KEY):
            start = time.monotonic()
            with pytest.raises(fastmux.ConnectionClosed, match="restarted") as caught:
                await conn.ping()
            assert caught.value.code == c.CONNECTION_UNKNOWN
            assert time.monotonic() - start < 2.0
            async with fastmux.connect("127.0.0.1", port, tls=fastmux.PLAINTEXT) as again:
                assert await again.ping() < 1.0

    run(main())


def test_without_one_they_are_left_with_its_silence() -> None:
    async def main() -> None:
        with process() as port:
            conn = await fastmux.connect("127.0.0.1", port, tls=fastmux.PLAINTEXT, idle_timeout=2.0)
        with process(port):
            with pytest.raises(fastmux.ConnectionClosed) as caught:
                await conn.ping()
            assert caught.value.code == c.IDLE_TIMEOUT

    run(main())
