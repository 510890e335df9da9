"""`fastmux connect`: one stream between standard input and output and a target behind the server.

Owns: both directions, their ends, and what a broken one means. May not know: the command line, what
descriptors are. It imports little: ssh starts it for every connection.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol

import fastmux
from fastmux.aio.answers import OpenRefused, read_answer
from fastmux.exceptions import BrokenResourceError, ChannelReset, EndOfStream
from fastmux.tunnel.constants import OPEN_TIMEOUT
from fastmux.tunnel.exits import LOST, UNREACHABLE, CommandError, naming

if TYPE_CHECKING:
    from fastmux.aio.client import HandshakeMaker
    from fastmux.aio.stream import Stream

logger = logging.getLogger("fastmux.tunnel.connect")

_CHUNK_SIZE: Final = 262144


class Source(Protocol):
    """Where bytes come from."""

    async def read(self) -> bytes:
        """The next bytes, b"" at the end."""
        ...


class Sink(Protocol):
    """Where bytes go."""

    async def write(self, data: bytes) -> None:
        """Take all of it."""
        ...

    def close(self) -> None:
        """There is no more."""
        ...


async def connect_stdio(
    server: tuple[str, int], tls: HandshakeMaker, label: str, source: Source, sink: Sink
) -> None:
    """Open a stream with `label` through `server` and relay it until both directions ended.

    Raises `CommandError` if the target cannot be reached (5) or a direction broke (255), and what
    `fastmux.connect` raises.
    """
    with naming(server[0]):
        async with (
            fastmux.connect(*server, tls=tls, open_timeout=OPEN_TIMEOUT) as connection,
            await connection.open_stream(label) as stream,
        ):
            await relay(stream, source, sink)


async def relay(stream: Stream, source: Source, sink: Sink) -> None:
    """Carry both directions of a stream that this end opened. Raises `CommandError`, ConnectionError."""
    sending = asyncio.create_task(_send(stream, source), name="fastmux standard input")
    receiving = asyncio.create_task(_receive(stream, sink), name="fastmux standard output")
    try:
        await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_EXCEPTION)
        for task in (receiving, sending):  # the peer's word first: it says more than a send that failed
            if task.done():
                task.result()
    except BaseException:
        stream.reset()
        raise
    finally:
        sending.cancel()
        receiving.cancel()
        await asyncio.gather(sending, receiving, return_exceptions=True)


async def _send(stream: Stream, source: Source) -> None:
    try:
        while data := await _read(source):
            await stream.send(data)
        await stream.send_eof()
    except BrokenResourceError:
        logger.debug("the target takes no more; what it sends still comes")


async def _read(source: Source) -> bytes:
    try:
        return await source.read()
    except OSError as error:  # which says nothing of the network: another code than for a target out of reach
        raise CommandError(LOST, f"standard input: {error.strerror or error}") from error


async def _write(sink: Sink, data: bytes) -> None:
    try:
        await sink.write(data)
    except BrokenPipeError:
        raise CommandError(LOST, "standard output was closed before the end") from None
    except OSError as error:
        raise CommandError(LOST, f"standard output: {error.strerror or error}") from error


async def _receive(stream: Stream, sink: Sink) -> None:
    try:
        await read_answer(stream)
    except OpenRefused as error:
        raise CommandError(UNREACHABLE, str(error)) from error
    try:
        while True:
            await _write(sink, await stream.receive(_CHUNK_SIZE))
    except EndOfStream:
        sink.close()
    except ChannelReset as error:
        raise CommandError(LOST, "the connection to the target was reset at the far end") from error
