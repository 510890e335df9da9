"""What two ends of one connection say to each other, on the public interface alone.

Owns: the far end that answers each channel by its label (`FarEnd`), and the near end that uses every kind of
channel and checks each answer (`exercise`). May not know: which core runs, or how the ends were started.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
from pathlib import Path

import fastmux
from fastmux import core

MIB = 2**20
# The address sanitizer keeps up to 256 MiB of what was freed, to find later uses of it.
QUARANTINE_SIZE = 256 * MIB if "asan" in os.environ.get("LD_PRELOAD", "") else 0
CHUNK_SIZE = 65536
RESET_CODE = 77
LONGEST_LABEL = "label:" + "é" * 124 + "x"  # 255 bytes of UTF-8
# Around the size of a fragment unit, of a datagram and of a train, and beyond each.
MESSAGE_SIZES = (0, 1, 2, 127, 128, 129, 1000, 1151, 1152, 1280, 1452, 4096, 65507, 65536, 300_001)
LAST_WORDS_SIZE = 256 * 1024


def resident_size() -> int:
    """The memory that this process has resident, in bytes (Linux only)."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def payload(size: int, seed: int = 1) -> bytes:
    """`size` bytes that do not repeat, always the same."""
    return random.Random(seed).randbytes(size)


async def receive_all(stream: fastmux.Stream) -> bytes:
    """Everything up to the peer's end of the stream."""
    return b"".join([chunk async for chunk in stream])


async def receive_exactly(stream: fastmux.Stream, size: int) -> bytes:
    """The next `size` bytes."""
    chunks = []
    while size:
        chunks.append(await stream.receive(size))
        size -= len(chunks[-1])
    return b"".join(chunks)


async def send_pieces(stream: fastmux.Stream, data: bytes, size: int = CHUNK_SIZE) -> None:
    """Send `data` in pieces, then the end."""
    view = memoryview(data)
    for start in range(0, len(view), size):
        await stream.send(view[start : start + size])
    await stream.send_eof()


async def echo(stream: fastmux.Stream, data: bytes) -> bytes:
    """Send `data` on an echo stream while its echo is received; returns the echo."""
    async with asyncio.TaskGroup() as group:
        received = group.create_task(receive_all(stream))
        await send_pieces(stream, data)
    return received.result()


class FarEnd:
    """Answers the channels of connections by their labels.

    `handled` counts connections, `last_words` are the digests of "last words" streams, `endings` say how the
    serving of each connection ended.
    """

    def __init__(self) -> None:
        self.handled = 0
        self.last_words: list[str] = []
        self.endings: list[str] = []
        self.wake = asyncio.Event()

    async def handle(self, conn: fastmux.Connection) -> None:
        """Serve one connection until its peer closes it."""
        self.handled += 1
        datagrams = asyncio.create_task(self._return_datagrams(conn))

        async def answer(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
            await self._answer(conn, channel)

        try:
            await conn.serve(answer)
            self.endings.append("without an error")
        except fastmux.ConnectionClosed as error:
            self.endings.append(str(error))
        finally:
            datagrams.cancel()
            await asyncio.wait([datagrams])

    async def _return_datagrams(self, conn: fastmux.Connection) -> None:
        try:
            while True:
                conn.send_datagram(await conn.receive_datagram())
        except fastmux.ConnectionClosed:
            return

    async def _answer(
        self, conn: fastmux.Connection, channel: fastmux.Stream | fastmux.MessageChannel
    ) -> None:
        if isinstance(channel, fastmux.MessageChannel):
            async for message in channel:
                await channel.send(message)
            await channel.send_eof()
            return
        match channel.label:
            case "echo":
                async for chunk in channel:
                    await channel.send(chunk)
                await channel.send_eof()
            case "digest":
                await self._send_digest(channel)
            case "sleeper":
                await self.wake.wait()
                await self._send_digest(channel)
            case "last words":
                self.last_words.append(hashlib.sha256(await receive_all(channel)).hexdigest())
            case "reset me":
                await channel.receive()
                channel.reset(RESET_CODE)
            case "I reset":
                await self._report_reset(conn, channel)
            case "control":
                await self._control(channel)
            case label:
                await channel.send(label.encode())
                await channel.send_eof()

    async def _send_digest(self, stream: fastmux.Stream) -> None:
        digest = hashlib.sha256()
        async for chunk in stream:
            digest.update(chunk)
        await stream.send(digest.digest())
        await stream.send_eof()

    async def _report_reset(self, conn: fastmux.Connection, stream: fastmux.Stream) -> None:
        try:
            await receive_all(stream)
        except fastmux.ChannelReset as error:
            async with await conn.open_stream(label="seen") as report:
                await report.send(str(error.code).encode())
            async with await conn.open_message_channel(label="seen, as a message") as report:
                await report.send(str(error.code).encode())

    async def _control(self, stream: fastmux.Stream) -> None:
        """One word a request, one line of JSON an answer."""
        async for word in stream:
            if word == b"wake":
                self.wake.set()
            answer: dict[str, int | str] = {"core": core.IMPLEMENTATION}
            if word == b"rss":
                answer["rss"] = resident_size()
            await stream.send(json.dumps(answer).encode())


async def ask(control: fastmux.Stream, word: bytes) -> dict[str, int | str]:
    """Ask the far end's control stream."""
    await control.send(word)
    answer: dict[str, int | str] = json.loads(await control.receive())
    return answer


async def exercise(conn: fastmux.Connection) -> str:
    """Use every kind of channel against a `FarEnd`. The digest of the last words, which go as it closes.

    Raises AssertionError for whatever comes back otherwise than it should.
    """
    await _streams(conn)
    await _messages(conn)
    await _labels(conn)
    await _datagrams(conn)
    await _resets(conn)
    assert 0 < await conn.ping() < 10
    words = payload(LAST_WORDS_SIZE, seed=9)
    stream = await conn.open_stream(label="last words")
    await send_pieces(stream, words)
    await conn.aclose()
    return hashlib.sha256(words).hexdigest()


async def _streams(conn: fastmux.Connection) -> None:
    sizes = (1, 1452, CHUNK_SIZE + 1, MIB)
    async with asyncio.TaskGroup() as group:
        echoes = []
        for size in sizes:
            stream = await conn.open_stream(label="echo")
            echoes.append(group.create_task(echo(stream, payload(size, seed=size))))
    for size, task in zip(sizes, echoes, strict=True):
        assert task.result() == payload(size, seed=size), f"an echo of {size} bytes differs"


async def _messages(conn: fastmux.Connection) -> None:
    messages = [payload(size, seed=size) for size in MESSAGE_SIZES]
    for ordered in (True, False):
        async with await conn.open_message_channel(label="echo", ordered=ordered) as channel:
            async with asyncio.TaskGroup() as group:
                received = group.create_task(_receive_messages(channel))
                for message in messages:
                    await channel.send(message)
                await channel.send_eof()
            if ordered:
                assert received.result() == messages, "messages differ, or their order"
            else:
                assert sorted(received.result()) == sorted(messages), "unordered messages differ"


async def _receive_messages(channel: fastmux.MessageChannel) -> list[bytes]:
    return [message async for message in channel]


async def _labels(conn: fastmux.Connection) -> None:
    for label in ("", "label: with spaces", LONGEST_LABEL):
        stream = await conn.open_stream(label=label)
        await stream.send_eof()
        assert (await receive_all(stream)).decode() == label
        assert stream.label == label


async def _datagrams(conn: fastmux.Connection) -> None:
    for size in (1, 100, 1000):
        assert conn.send_datagram(payload(size))
        assert await conn.receive_datagram() == payload(size)


async def _resets(conn: fastmux.Connection) -> None:
    stream = await conn.open_stream(label="reset me")
    await stream.send(b"now")
    try:
        await receive_all(stream)
    except fastmux.ChannelReset as error:
        assert error.code == RESET_CODE, f"reset with {error.code}"
    else:
        raise AssertionError("a stream that was reset looked whole")
    await stream.aclose()
    stream = await conn.open_stream(label="I reset")
    await stream.send(b"only half of it")
    await stream.wait_delivered()
    stream.reset(RESET_CODE + 1)
    for _ in range(2):
        report = await conn.accept()
        assert report.label.startswith("seen")
        assert await report.receive() == str(RESET_CODE + 1).encode()
        await report.aclose()
