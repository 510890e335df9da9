"""What the client carries over its one connection, a coroutine a channel.

Owns: the jobs and how each is checked. May not know: how progress and results are shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import io
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import fastmux
from fastmux.tunnel.demo.workload import (
    CHUNK_SIZE,
    PING_SIZE,
    SLEEPER_SIZE,
    digest_messages,
    make_messages,
    read_chunks,
)

Progress = Callable[[str, int, int], None]  # (job, done, total), in bytes


@dataclass(slots=True)
class JobResult:
    """One row of the table: bytes carried, seconds taken, and whether the hashes were equal."""

    job: str
    kind: str
    size: int
    seconds: float
    verified: bool
    note: str = ""


@dataclass(slots=True)
class PingResult:
    """Round trips in seconds, in the order they were made."""

    job: str
    round_trips: list[float] = field(default_factory=list)


async def ping(conn: fastmux.Connection, job: str, count: int, stop: asyncio.Event | None) -> PingResult:
    """Send 64 bytes and wait for the echo, `count` times, or until `stop` is set if it is given."""
    result = PingResult(job)
    stream = await conn.open_stream(label="ping")
    payload = bytes(PING_SIZE)
    while not (stop.is_set() if stop else len(result.round_trips) >= count):
        started = time.perf_counter()
        await stream.send(payload)
        missing = PING_SIZE
        while missing:
            missing -= len(await stream.receive(missing))
        result.round_trips.append(time.perf_counter() - started)
    await stream.send_eof()
    await stream.aclose()
    return result


async def send_file(
    conn: fastmux.Connection, path: Path, expected: str, progress: Progress
) -> JobResult:
    """Send the file over a stream; the far end answers with its hash."""
    total = path.stat().st_size
    started = time.perf_counter()
    stream = await conn.open_stream(label="file")
    sent = 0
    for chunk in read_chunks(path):
        await stream.send(chunk)
        sent += len(chunk)
        progress("file", sent, total)
    await stream.send_eof()
    digest = await receive_all(stream)
    elapsed = time.perf_counter() - started
    return JobResult("file", "stream", total, elapsed, digest.hex() == expected)


async def receive_all(stream: fastmux.Stream) -> bytes:
    """Everything up to the peer's end of stream."""
    return b"".join([chunk async for chunk in stream])


async def send_messages(
    conn: fastmux.Connection, count: int, seed: int, progress: Progress
) -> JobResult:
    """Send messages of 1 byte to 1 MiB in order; the far end answers with one hash over all of them."""
    messages = make_messages(count, seed)
    total = sum(map(len, messages))
    expected = digest_messages(messages)
    started = time.perf_counter()
    channel = await conn.open_message_channel(label=f"messages:{count}")
    sent = 0
    for message in messages:
        await channel.send(message)
        sent += len(message)
        progress("messages", sent, total)
    digest = await channel.receive()
    elapsed = time.perf_counter() - started
    await channel.aclose()
    note = f"{count} messages"
    return JobResult("messages", "message channel", total, elapsed, digest.hex() == expected, note)


class _ResponseSocket:
    """What http.client needs of a socket to parse a response that is all here."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        """The response as a file."""
        return io.BytesIO(self._data)


async def fetch(
    conn: fastmux.Connection, name: str, expected: str, progress: Progress
) -> JobResult:
    """Fetch a file by HTTP/1.1 from the server behind the far end."""
    started = time.perf_counter()
    stream = await conn.open_stream(label="http")
    request = f"GET /{name} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n"
    await stream.send(request.encode())
    await stream.send_eof()
    chunks: list[bytes] = []
    received = 0
    async for chunk in stream:
        chunks.append(chunk)
        received += len(chunk)
        progress("http", received, max(received, CHUNK_SIZE))
    response = http.client.HTTPResponse(cast(socket.socket, _ResponseSocket(b"".join(chunks))))
    response.begin()
    body = response.read()
    elapsed = time.perf_counter() - started
    verified = response.status == 200 and hashlib.sha256(body).hexdigest() == expected
    return JobResult("http", "stream", len(body), elapsed, verified, f"HTTP {response.status}")


class Sleeper:
    """A stream whose far reader sleeps: it fills its credit and stands still until `finish`."""

    def __init__(self, stream: fastmux.Stream) -> None:
        self._stream = stream
        self._payload = bytes(range(256)) * (SLEEPER_SIZE // 256)
        self._sent = 0
        self._started = time.perf_counter()
        self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        for start in range(0, SLEEPER_SIZE, CHUNK_SIZE):
            await self._stream.send(self._payload[start : start + CHUNK_SIZE])
            self._sent = start + CHUNK_SIZE
        await self._stream.send_eof()

    @property
    def is_stalled(self) -> bool:
        """True while the writer waits for the reader that sleeps."""
        return not self._task.done()

    async def finish(self) -> JobResult:
        """Once the reader was woken: write the rest and compare hashes."""
        await self._task
        digest = await receive_all(self._stream)
        elapsed = time.perf_counter() - self._started
        expected = hashlib.sha256(self._payload).digest()
        note = "its reader slept meanwhile"
        return JobResult("sleeper", "stream", SLEEPER_SIZE, elapsed, digest == expected, note)
