"""Message channels with anyio's interface.

Owns: checkpoints, and anyio's errors. May not know: anything below `fastmux.MessageChannel`; which loop runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio.abc
import anyio.lowlevel

from fastmux import constants as c
from fastmux.aio.message_channel import MessageChannel
from fastmux.anyio.attributes import attributes_of
from fastmux.anyio.errors import of_channel


class UnreliableObjectStream(anyio.abc.UnreliableObjectStream[bytes]):
    """Whole messages in both directions, over a `fastmux.MessageChannel` of whatever reliability.

    What its methods raise are anyio's errors; `MessageTooBig` stays what it is.
    """

    def __init__(self, channel: MessageChannel) -> None:
        self._channel = channel

    def __repr__(self) -> str:
        return f"<anyio {self._channel!r}>"

    @property
    def inner(self) -> MessageChannel:
        """The channel under it."""
        return self._channel

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """Those of `FastmuxAttribute`, and the addresses of `SocketAttribute`."""
        return attributes_of(self._channel)

    async def send(self, item: bytes) -> None:
        """Wait while `write_limit` or more bytes are unsent, then take the message."""
        await anyio.lowlevel.checkpoint()
        with of_channel():
            await self._channel.send(item)

    async def send_eof(self) -> None:
        """End the sending direction; may be repeated."""
        await anyio.lowlevel.checkpoint()
        with of_channel():
            await self._channel.send_eof()

    async def receive(self) -> bytes:
        """Receive the next message. Raises `anyio.EndOfStream` after the last."""
        await anyio.lowlevel.checkpoint()
        with of_channel():
            return await self._channel.receive()

    async def aclose(self) -> None:
        """Close both directions; what was sent is still delivered. May be repeated, and be cancelled."""
        self._channel.close_now()
        await anyio.lowlevel.checkpoint()

    def reset(self, code: int = c.CANCELLED) -> None:
        """Give both directions up at once."""
        self._channel.reset(code)


class ObjectStream(UnreliableObjectStream, anyio.abc.ObjectStream[bytes]):
    """The same over an ordered, reliable channel: nothing is missed."""

    def __init__(self, channel: MessageChannel) -> None:
        """Raises ValueError for a channel that is not ordered and reliable."""
        if not (channel.ordered and channel.reliable):
            raise ValueError("an ObjectStream is ordered and reliable: use UnreliableObjectStream")
        super().__init__(channel)


def object_stream_of(channel: MessageChannel) -> UnreliableObjectStream:
    """The one that promises as much as the channel keeps."""
    is_whole = channel.ordered and channel.reliable
    return ObjectStream(channel) if is_whole else UnreliableObjectStream(channel)
