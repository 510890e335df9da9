"""Standard input and output: pipes, sockets and files, never blocked, never switched to non-blocking."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from e2e.support import run
from fastmux.tunnel.client.standard_io import Input, Output

BLOB = os.urandom(1_000_003)


async def read_all(source: Input) -> bytes:
    data = b""
    while piece := await source.read():
        data += piece
    return data


async def write_all(sink: Output) -> None:
    for start in range(0, len(BLOB), 300_000):
        await sink.write(BLOB[start : start + 300_000])
    sink.close()


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_bytes_go_through_whole_with_their_end(kind: str) -> None:
    """More than any buffer between, so that both ends have to wait for each other."""
    if kind == "pipe":
        reading, writing = os.pipe()
    else:
        reading, writing = (end.detach() for end in socket.socketpair())

    async def main() -> None:
        received, _ = await asyncio.gather(read_all(Input(reading)), write_all(Output(writing)))
        assert received == BLOB

    try:
        run(main())
        assert os.get_blocking(reading)
        assert os.get_blocking(writing)
    finally:
        os.close(reading)
        os.close(writing)


def test_files_are_always_ready(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(BLOB)
    reading = os.open(tmp_path / "in", os.O_RDONLY)
    writing = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)

    async def main() -> None:
        assert await read_all(Input(reading)) == BLOB
        await write_all(Output(writing))

    try:
        run(main())
        assert (tmp_path / "out").read_bytes() == BLOB
    finally:
        os.close(reading)
        os.close(writing)


def test_the_null_device_is_at_its_end_at_once() -> None:
    descriptor = os.open(os.devnull, os.O_RDWR)

    async def main() -> None:
        assert await Input(descriptor).read() == b""
        await Output(descriptor).write(b"gone")

    try:
        run(main())
    finally:
        os.close(descriptor)


def test_one_socket_may_be_both_and_ends_one_way_at_a_time() -> None:
    ours, theirs = socket.socketpair()

    async def main() -> None:
        sink = Output(ours.fileno())
        sink.close()
        sink.close()
        assert theirs.recv(10) == b""

    with theirs, ours:
        run(main())


def test_a_closed_output_keeps_its_number_and_is_at_its_end() -> None:
    reading, writing = os.pipe()

    async def main() -> None:
        sink = Output(writing)
        sink.close()
        assert await Input(reading).read() == b""
        os.fstat(writing)
        await sink.write(b"to nobody")

    try:
        run(main())
    finally:
        os.close(reading)
        os.close(writing)


def test_a_reader_that_is_gone_is_a_broken_pipe() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    async def main() -> None:
        with pytest.raises(BrokenPipeError):
            await Output(writing).write(b"hello")

    try:
        run(main())
    finally:
        os.close(writing)


def test_who_waits_to_read_or_write_can_be_cancelled() -> None:
    reading, writing = os.pipe()

    async def main() -> None:
        waiting = asyncio.create_task(Input(reading).read())
        filling = asyncio.create_task(Output(writing).write(BLOB))
        assert await waiting
        again = [asyncio.create_task(Output(writing).write(BLOB)), filling]
        for _ in range(10):
            await asyncio.sleep(0)
        for task in again:
            task.cancel()
        await asyncio.gather(*again, return_exceptions=True)
        assert all(task.cancelled() for task in again)

    try:
        run(main())
    finally:
        os.close(reading)
        os.close(writing)
