"""Message channels: whole messages, each at most once, both ways.

Owns: the public `MessageChannel`. May not know: anything below the core's `DataPath`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from fastmux import constants as c
from fastmux.aio.channel import Channel, raise_end
from fastmux.aio.channel_host import ChannelHost
from fastmux.exceptions import EndOfStream, WouldBlock

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from fastmux.records import OpenFields


class MessageChannel(Channel):
    """Messages of 0 bytes to the peer's `max_message_size`, whole or not at all, in both directions.

    Made by `Connection.open_message_channel` and `accept`; its opener chose ordering and reliability for
    both directions. One task may receive at a time, any number may send: they take turns in the order in
    which they came. Close it with `aclose` or `async with`.
    """

    __slots__ = ("_ordered", "_reliable")

    def __init__(self, host: ChannelHost, channel_id: int, fields: OpenFields) -> None:
        super().__init__(host, channel_id, fields)
        self._ordered = fields.ordered
        self._reliable = fields.reliability == c.RELIABLE

    @property
    def ordered(self) -> bool:
        """Whether messages are received in the order in which they were sent."""
        return self._ordered

    @property
    def reliable(self) -> bool:
        """Whether every message arrives; False for any limit of retransmission, too."""
        return self._reliable

    # sending

    async def send(self, message: Buffer) -> None:
        """Send one message: wait while `write_limit` or more bytes are unsent, then take it whole.

        `message` is anything contiguous with the buffer protocol. What cannot change is kept by reference, as
        `Stream.send` does; anything else is copied when it is taken. Cancelled while it waits, it was not
        taken.

        Raises `MessageTooBig` above what the peer takes, `ClosedResourceError` after `send_eof`, `reset` or
        `aclose`, `BrokenResourceError` if the peer asked to stop, `ConnectionClosed`, TypeError.
        """
        if self._writers or (self._is_full and not self.has_room()):
            self._check_sending()
            await self._take_turn()
        self._check_sending()
        host = self._host
        self._wrote(host.data_path.send_message(self._id, message, host.now()))

    def send_nowait(self, message: Buffer) -> None:
        """Send one message now. Raises `WouldBlock` where `send` would wait, else as `send`."""
        self._check_sending()
        if self._writers or (self._is_full and not self.has_room()):
            raise WouldBlock(f"{self._host.write_limit} bytes or more are unsent")
        host = self._host
        self._wrote(host.data_path.send_message(self._id, message, host.now()))

    async def send_many(self, messages: Sequence[Buffer]) -> int:
        """Send as many messages as there is room for and return how many were taken, at least one of any.

        It waits only for room for the first; give the rest again. Cancelled while it waits, none was taken.
        Raises as `send`; no message of the call was taken then.
        """
        if self._writers or (self._is_full and not self.has_room()):
            self._check_sending()
            await self._take_turn()
        self._check_sending()
        host = self._host
        taken = host.data_path.send_messages(self._id, messages, host.now())
        self._wrote(host.data_path.unsent_size(self._id))
        return taken

    # receiving

    async def receive(self) -> bytes:
        """Receive the next message.

        Raises `EndOfStream` once the peer has ended the channel and everything was received, `ChannelReset`
        if it reset it, `ClosedResourceError` after `aclose` or `reset`, `BusyResourceError` if another task
        is receiving, `ConnectionClosed`.
        """
        self._reader.check()
        while True:
            message = self._take()
            if message is not None:
                return message
            self._check_open()
            place = self._reader.join()
            try:
                await place
            finally:
                self._reader.leave()

    def receive_nowait(self) -> bytes:
        """Receive a message that is already here. Raises `WouldBlock` if there is none, else as `receive`."""
        self._reader.check()
        message = self._take()
        if message is None:
            self._check_open()
            raise WouldBlock("no message is here")
        return message

    async def receive_many(self, max_messages: int = 256) -> list[bytes]:
        """Receive 1 to `max_messages` messages, as soon as there is any.

        Raises as `receive`, and ValueError for `max_messages` below 1.
        """
        if max_messages < 1:
            raise ValueError(f"max_messages must be at least 1, not {max_messages}")
        self._reader.check()
        while True:
            self._check_receiving()
            data_path = self._host.data_path
            messages = data_path.take_messages(self._id, max_messages)
            if messages:
                self._received()
                return messages
            if data_path.is_finished(self._id):
                raise_end()
            self._check_open()
            place = self._reader.join()
            try:
                await place
            finally:
                self._reader.leave()

    def _take(self) -> bytes | None:
        """The next message or None; raises at the end."""
        self._check_receiving()
        data_path = self._host.data_path
        message = data_path.take_message(self._id)
        if message is not None:
            self._received()
        elif data_path.is_finished(self._id):
            raise_end()
        return message

    def __aiter__(self) -> Self:
        """Messages, until the peer ends the channel. Raises as `receive`."""
        return self

    async def __anext__(self) -> bytes:
        """The next message; the iteration ends where `receive` raises `EndOfStream`."""
        try:
            return await self.receive()
        except EndOfStream:
            raise StopAsyncIteration from None
