"""A channel of ordered bytes.

Owns: how one SendStream and one ReceiveStream act as a channel. May not know: packets, frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmux._core_py.channel import Channel, Record
from fastmux._core_py.receive_stream import ReceiveStream
from fastmux._core_py.send_stream import SendStream
from fastmux.constants import READY_READABLE

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from fastmux._core_py.channel_table import ChannelTable
    from fastmux.records import OpenFields


class StreamChannel(Channel):
    """One stream. Its data records are (FRAME_STREAM, channel, start, stop, fin)."""

    __slots__ = ("received", "sending")

    def __init__(self, table: ChannelTable, channel_id: int, fields: OpenFields | None) -> None:
        super().__init__(table, channel_id, fields)
        self.sending = SendStream()
        self.received = ReceiveStream()

    def write(self, data: bytes | memoryview) -> int:
        """Takes all of `data`; returns the unsent size."""
        self.check_writable()
        self.sending.write(data)
        return self.after_write()

    def read(self, max_bytes: int) -> bytes | None:
        """At most `max_bytes`; b"" if nothing is there now, None at the end."""
        self.check_readable()
        data = self.received.read(max_bytes)
        self.after_receiving()
        return data

    def read_into(self, buffer: Buffer) -> int:
        """The count, 0 if nothing is there now, -1 at the end."""
        self.check_readable()
        size = self.received.read_into(buffer)
        self.after_receiving()
        return size

    def receive(self, offset: int, data: bytes, fin: bool) -> bool:
        """Takes data of the peer; False if it was of no use."""
        if self.reset_code is not None:
            return False
        stream = self.received
        readable, was_known = stream.readable_size, stream.final_size is not None
        stream.receive(offset, data, fin)
        ended = fin and not was_known
        if ended:
            self.table.credit.forget(self)
        news = stream.readable_size > readable or (ended and stream.is_finished)
        if news and self.stopped_code is None:
            self.notify(READY_READABLE)
        self.after_receiving()
        return ended or len(data) > 0

    @property
    def unsent_size(self) -> int:
        return self.sending.unsent_size

    @property
    def sent_held_size(self) -> int:
        return self.sending.held_size

    @property
    def needs_no_credit(self) -> bool:
        return self.sending._needs_no_credit()

    @property
    def has_new(self) -> bool:
        return self.sending.unsent_size > 0 and self.sending.sent_size < self.peer_limit

    @property
    def is_acknowledged(self) -> bool:
        if self.is_finishing:
            return self.sending.is_delivered
        return self.sending.held_size == 0

    @property
    def is_readable(self) -> bool:
        return self.received.readable_size > 0 or self.received.is_finished

    @property
    def readable_size(self) -> int:
        return self.received.readable_size

    @property
    def is_receive_over(self) -> bool:
        return self.received.is_finished

    @property
    def is_size_known(self) -> bool:
        return self.received.final_size is not None

    @property
    def charged(self) -> int:
        return self.received.highest_offset

    @property
    def consumed(self) -> int:
        return self.received.consumed

    @property
    def held_size(self) -> int:
        return self.received.held_size

    @property
    def span_count(self) -> int:
        return self.received.span_count

    @property
    def gap_count(self) -> int:
        return self.received.span_count - (self.received.readable_size > 0)

    @property
    def message_charge(self) -> int:
        return 0

    @property
    def sent_released(self) -> int:
        return self.sending._base

    def _end_sending(self) -> None:
        self.sending.finish()

    def _drop_sending(self) -> tuple[int, int]:
        self.sending._drop()
        return self.sending.sent_size, self.sending.sent_size

    def _discard_receiving(self) -> None:
        self.received._discard()

    def _reset_receiving(self, final_size: int, charged: int) -> None:
        self.received.reset(final_size)

    def _on_open(self, fields: OpenFields) -> None:
        """A stream has no options."""

    def on_data_acked(self, record: Record) -> None:
        self.sending.on_acked(record[2], record[3], record[4])

    def on_data_lost(self, record: Record) -> None:
        self.sending.on_lost(record[2], record[3], record[4])

    def send_again(self, record: Record) -> None:
        self.sending.on_lost(record[2], record[3], record[4])
