"""Streams with anyio's interface.

Owns: checkpoints, and anyio's errors. May not know: anything below `fastmux.Stream`; which loop runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio.abc
import anyio.lowlevel

from fastmux import constants as c
from fastmux.aio.stream import Stream
from fastmux.anyio.attributes import attributes_of
from fastmux.anyio.errors import of_channel


class ByteStream(anyio.abc.ByteStream):
    """Ordered, reliable bytes in both directions, over a `fastmux.Stream`.

    What its methods raise are anyio's errors; the cause of an `anyio.BrokenResourceError` says more.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __repr__(self) -> str:
        return f"<anyio {self._stream!r}>"

    @property
    def inner(self) -> Stream:
        """The stream under it."""
        return self._stream

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """Those of `FastmuxAttribute`, and the addresses of `SocketAttribute`."""
        return attributes_of(self._stream)

    async def send(self, item: bytes) -> None:
        """Wait while `write_limit` or more are unsent, then take all of `item`, or none if cancelled."""
        await anyio.lowlevel.checkpoint()
        with of_channel():
            await self._stream.send(item)

    async def send_eof(self) -> None:
        """End the sending direction; may be repeated."""
        await anyio.lowlevel.checkpoint()
        with of_channel():
            await self._stream.send_eof()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Receive 1 to `max_bytes` bytes. Raises `anyio.EndOfStream` after the last."""
        await anyio.lowlevel.checkpoint()
        with of_channel():
            return await self._stream.receive(max_bytes)

    async def wait_stopped(self) -> None:
        """Wait until the peer takes no more: it closed or reset its end, or asked to stop."""
        await anyio.lowlevel.checkpoint()
        with of_channel():
            await self._stream.wait_stopped()

    async def aclose(self) -> None:
        """Close both directions; what was sent is still delivered. May be repeated, and be cancelled."""
        self._stream.close_now()
        await anyio.lowlevel.checkpoint()

    def reset(self, code: int = c.CANCELLED) -> None:
        """Give both directions up at once; the peer's receivers get an error, not an end."""
        self._stream.reset(code)
