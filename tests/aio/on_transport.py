"""A transport over one end of a stream, and what its loop complains of.

Owns: how it is put together and taken apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Unpack

from aio.pair import Pair, pair
from aio.virtual_loop import settle
from fastmux.aio.settings import Settings
from fastmux.aio.stream import Stream
from fastmux.aio.stream_transport import StreamTransport

SMALL: Settings = {"write_limit": 10_000, "channel_window": 65536, "max_channel_window": 65536}


def start(stream: Stream, protocol: asyncio.BaseProtocol) -> StreamTransport:
    transport = StreamTransport(stream, protocol)
    transport.start()
    return transport


@asynccontextmanager
async def one_end(
    protocol: asyncio.BaseProtocol, **settings: Unpack[Settings]
) -> AsyncIterator[tuple[StreamTransport, Stream, Pair]]:
    """A transport and the stream at its other end."""
    async with pair(**settings) as ends:
        mine, theirs = await ends.stream("here")
        yield start(mine, protocol), theirs, ends
        await theirs.aclose()
        await settle()


@contextmanager
def complaints() -> Iterator[list[dict[str, Any]]]:
    """What the running loop's exception handler is told."""
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    yield told
    loop.set_exception_handler(None)


async def read_all(stream: Stream) -> bytes:
    return b"".join([chunk async for chunk in stream])
