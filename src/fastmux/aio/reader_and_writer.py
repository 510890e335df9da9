"""A stream as `asyncio.StreamReader` and `asyncio.StreamWriter`.

Owns: how the three of asyncio are put together. May not know: how the transport works.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastmux.aio.stream_transport import StreamTransport

if TYPE_CHECKING:
    from fastmux.aio.stream import Stream


def reader_and_writer(stream: Stream, limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Take over `stream`. Raises as `StreamTransport`, and ValueError for a `limit` that is not positive."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport = StreamTransport(stream, protocol)
    transport.start()
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
