"""Streams with trio's interface.

Owns: checkpoints, and what trio asks of a stream beyond `fastmux.Stream`. May not know: anything below that.
"""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Final

import trio

from fastmux import constants as c
from fastmux.aio.stream import Stream as Inner
from fastmux.exceptions import EndOfStream
from fastmux.trio.errors import of_channel
from fastmux.trio.one_at_a_time import OneAtATime

if TYPE_CHECKING:
    from typing_extensions import Buffer

_DEFAULT_SIZE: Final = 65536  # bytes, if the receiver does not say


class Stream(trio.abc.HalfCloseableStream):
    """Ordered, reliable bytes in both directions. Made by `Connection.open_stream` and `accept`.

    What its methods raise are trio's errors; the cause of a `trio.BrokenResourceError` says more: a
    `ChannelReset`, a `ConnectionClosed`, or that the peer asked to stop.
    """

    __slots__ = ("_inner", "_sending")

    def __init__(self, stream: Inner) -> None:
        self._inner = stream
        self._sending = OneAtATime("sending on this stream")

    def __repr__(self) -> str:
        return f"<trio {self._inner!r}>"

    @property
    def inner(self) -> Inner:
        """The stream under it."""
        return self._inner

    @property
    def id(self) -> int:
        """The channel's number."""
        return self._inner.id

    @property
    def label(self) -> str:
        """The text that its opener gave it."""
        return self._inner.label

    @property
    def is_lost(self) -> bool:
        """True if the peer gave it up, or the connection is over or being closed."""
        return self._inner.is_lost

    async def send_all(self, data: Buffer) -> None:
        """Wait while `write_limit` or more are unsent, then take all of `data`, or none if cancelled."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            with of_channel():
                await self._inner.send(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until less than `write_limit` is unsent."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            with of_channel():
                await self._inner.wait_for_room()

    async def send_eof(self) -> None:
        """End the sending direction; may be repeated."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            with of_channel():
                await self._inner.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive 1 to `max_bytes` bytes (65,536 by default), or b"" at the end."""
        size = _DEFAULT_SIZE if max_bytes is None else index(max_bytes)
        if size < 1:
            raise ValueError(f"max_bytes must be at least 1, not {size}")
        await trio.lowlevel.checkpoint()
        with of_channel():
            try:
                return await self._inner.receive(size)
            except EndOfStream:
                return b""

    async def wait_delivered(self) -> None:
        """Wait until the peer's end has acknowledged everything that was sent."""
        await trio.lowlevel.checkpoint()
        with of_channel():
            await self._inner.wait_delivered()

    async def wait_stopped(self) -> None:
        """Wait until the peer takes no more: it closed or reset its end, or asked to stop."""
        await trio.lowlevel.checkpoint()
        with of_channel():
            await self._inner.wait_stopped()

    def reset(self, code: int = c.CANCELLED) -> None:
        """Give both directions up at once; the peer's receivers get an error, not an end."""
        self._inner.reset(code)

    async def aclose(self) -> None:
        """Close both directions; what was sent is still delivered. May be repeated, and be cancelled."""
        self._inner.close_now()
        await trio.lowlevel.checkpoint()
