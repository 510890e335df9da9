"""Message channels with trio's interface.

Owns: checkpoints, and trio's errors. May not know: anything below `fastmux.MessageChannel`.
"""

from __future__ import annotations

import trio

from fastmux import constants as c
from fastmux.aio.message_channel import MessageChannel as Inner
from fastmux.exceptions import EndOfStream
from fastmux.trio.errors import of_channel


class MessageChannel(trio.abc.Channel[bytes]):
    """Whole messages in both directions. Made by `Connection.open_message_channel` and `accept`.

    What its methods raise are trio's errors, as those of `Stream`; `MessageTooBig` stays what it is.
    """

    __slots__ = ("_inner",)

    def __init__(self, channel: Inner) -> None:
        self._inner = channel

    def __repr__(self) -> str:
        return f"<trio {self._inner!r}>"

    @property
    def inner(self) -> Inner:
        """The channel under it."""
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

    async def send(self, value: bytes) -> None:
        """Wait while `write_limit` or more bytes are unsent, then take the message."""
        await trio.lowlevel.checkpoint()
        with of_channel():
            await self._inner.send(value)

    async def send_eof(self) -> None:
        """End the sending direction: the peer gets `trio.EndOfChannel`."""
        await trio.lowlevel.checkpoint()
        with of_channel():
            await self._inner.send_eof()

    async def receive(self) -> bytes:
        """Receive the next message. Raises `trio.EndOfChannel` after the last."""
        await trio.lowlevel.checkpoint()
        with of_channel():
            try:
                return await self._inner.receive()
            except EndOfStream as error:
                raise trio.EndOfChannel from error

    def reset(self, code: int = c.CANCELLED) -> None:
        """Give both directions up at once."""
        self._inner.reset(code)

    async def aclose(self) -> None:
        """Close both directions; what was sent is still delivered. May be repeated, and be cancelled."""
        self._inner.close_now()
        await trio.lowlevel.checkpoint()
