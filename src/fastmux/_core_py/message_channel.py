"""A channel of messages.

Owns: how one MessageQueue and one MessageInbox act as a channel. May not know: packets, frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmux._core_py.channel import Channel, Record
from fastmux._core_py.message_inbox import MessageInbox
from fastmux._core_py.message_queue import MessageQueue
from fastmux.constants import (
    FRAME_MESSAGE_ABANDON,
    FRAME_MESSAGE_FIN,
    PARTIAL_CHARGE,
    READY_READABLE,
)

if TYPE_CHECKING:
    from fastmux._core_py.channel_table import ChannelTable
    from fastmux.records import OpenFields


class MessageChannel(Channel):
    """One message channel.

    Its data records are (FRAME_MESSAGE, channel, id, start, stop, attempt), (FRAME_MESSAGE_FIN, channel) and
    (FRAME_MESSAGE_ABANDON, channel, ids).
    """

    __slots__ = ("inbox", "sending")

    def __init__(self, table: ChannelTable, channel_id: int, fields: OpenFields | None) -> None:
        super().__init__(table, channel_id, fields)
        self.sending = MessageQueue()
        self.inbox = MessageInbox(None)
        if fields is not None:
            self._on_open(fields)

    def send(self, data: bytes | memoryview, now: float) -> int:
        """Takes a message; returns the unsent size."""
        self.check_writable()
        self.sending.append(data, now)
        self.table.watch_expiry(self)
        return self.after_write()

    def take(self) -> bytes | None:
        """The next message, None if there is none now."""
        self.check_readable()
        message = self.inbox.take()
        if message is not None:
            self.after_receiving()
        return message

    def expire(self, now: float) -> None:
        """Gives up the messages whose lifetime is over."""
        if self.reset_record is None:
            self.sending.expire(now)
            self._after_abandon()

    def receive(self, message_id: int, index: int, count: int, data: bytes) -> bool:
        """Takes a run of units of the peer; False if it was of no use."""
        if self.reset_code is not None or self.inbox.count_of(message_id) is None:
            return False
        had_ready = self.inbox.has_ready
        self.inbox.receive(message_id, index, count, data)
        self._after_arrival(had_ready)
        return True

    def on_abandon(self, entries: tuple[tuple[int, int], ...]) -> None:
        """The peer gave messages up."""
        if self.reset_code is None:
            had_ready = self.inbox.has_ready
            for message_id, count in entries:
                self.inbox.abandon(message_id, count)
            self._after_arrival(had_ready)

    def on_finish(self, count: int) -> None:
        """The peer's direction has `count` messages."""
        if self.reset_code is None and self.inbox.final_count is None:
            self.inbox.finish(count)
            self.table.credit.forget(self)
            if self.inbox.is_finished and self.stopped_code is None:
                self.notify(READY_READABLE)
            self.after_receiving()

    def _after_arrival(self, had_ready: bool) -> None:
        news = self.inbox.has_ready or (self.inbox.final_count is not None and self.inbox.is_finished)
        if news and self.stopped_code is None and (not had_ready or self.inbox.has_ready):
            self.notify(READY_READABLE)
        self.after_receiving()

    def _after_abandon(self) -> None:
        self.table.count("messages_abandoned", self.sending.abandoned_count)
        self.sending.abandoned_count = 0
        if self.sending.abandon_due:
            self.table.queue(FRAME_MESSAGE_ABANDON, self)
        self.after_sending()
        self.check_watch()
        self.note_busy()

    def _queue_fin(self) -> None:
        if self.sending.is_fin_ready and not self.sending.is_fin_queued:
            self.sending.is_fin_queued = True
            self.table.queue(FRAME_MESSAGE_FIN, self)

    def after_sending(self) -> None:
        """MESSAGE_FIN is due when every message was started."""
        self._queue_fin()
        super().after_sending()

    @property
    def unsent_size(self) -> int:
        return self.sending.unsent_size

    @property
    def sent_held_size(self) -> int:
        return self.sending.held_size

    @property
    def needs_no_credit(self) -> bool:
        return self.sending.has_started

    @property
    def has_new(self) -> bool:
        return self.sending.has_waiting and self.sending.charged < self.peer_limit

    @property
    def is_acknowledged(self) -> bool:
        return self.sending.is_acknowledged and (not self.is_finishing or self.sending.fin_acked)

    @property
    def is_readable(self) -> bool:
        return self.inbox.has_ready or self.inbox.is_finished

    @property
    def readable_size(self) -> int:
        return self.inbox.ready_size

    @property
    def is_receive_over(self) -> bool:
        return self.inbox.is_finished

    @property
    def is_size_known(self) -> bool:
        return self.inbox.final_count is not None

    @property
    def charged(self) -> int:
        return self.inbox.charged

    @property
    def consumed(self) -> int:
        return self.inbox.consumed

    @property
    def held_size(self) -> int:
        return self.inbox.held_size

    @property
    def span_count(self) -> int:
        return self.inbox.span_count

    @property
    def gap_count(self) -> int:
        return self.inbox.span_count

    @property
    def message_charge(self) -> int:
        return self.inbox.message_charge + PARTIAL_CHARGE * self.sending.message_count

    @property
    def sent_released(self) -> int:
        return self.sending.released

    def _end_sending(self) -> None:
        self.sending.finish()
        self._queue_fin()

    def _drop_sending(self) -> tuple[int, int]:
        self.sending.drop()
        return self.sending.next_id, self.sending.charged

    def _discard_receiving(self) -> None:
        self.inbox.discard()

    def _reset_receiving(self, final_size: int, charged: int) -> None:
        self.inbox.reset(final_size, charged)

    def _on_open(self, fields: OpenFields) -> None:
        self.sending.reliability = fields.reliability
        self.sending.value = fields.value
        self.inbox.set_order(fields.ordered)

    def on_data_acked(self, record: Record) -> None:
        if record[0] == FRAME_MESSAGE_FIN:
            self.sending.fin_acked = True
        elif record[0] == FRAME_MESSAGE_ABANDON:
            self.sending.on_abandon_acked(record[2])
        else:
            self.sending.on_acked(record[2], record[3], record[4])

    def on_data_lost(self, record: Record) -> None:
        if record[0] == FRAME_MESSAGE_FIN:
            if not self.sending.fin_acked:
                self.table.queue(FRAME_MESSAGE_FIN, self)
        elif record[0] == FRAME_MESSAGE_ABANDON:
            self.sending.on_abandon_lost(record[2])
            self._after_abandon()
        else:
            self.sending.on_lost(record[2], record[3], record[4], record[5])
            self._after_abandon()

    def send_again(self, record: Record) -> None:
        if record[0] in (FRAME_MESSAGE_FIN, FRAME_MESSAGE_ABANDON):
            self.on_data_lost(record)
        else:
            self.sending.send_again(record[2], record[3], record[4], record[5])
