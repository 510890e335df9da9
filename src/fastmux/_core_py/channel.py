"""The state of one channel, both directions: what both kinds have in common.

Owns: how a direction opens, finishes, is reset or stopped, its limits, and when the channel is over. May
not know: bytes and messages (the subclasses do), packets, frames, the order of the rings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from fastmux._core_py.credit import credit_step
from fastmux.constants import (
    CANCELLED,
    FRAME_MAX_CHANNEL_DATA,
    FRAME_MESSAGE_ABANDON,
    FRAME_MESSAGE_FIN,
    FRAME_OPEN,
    FRAME_RESET,
    FRAME_STOP,
    PRIORITY_WEIGHTS,
    READY_DELIVERED,
    READY_DONE,
    READY_OPENED,
    READY_READABLE,
    READY_RESET,
    READY_STOPPED,
    READY_WRITABLE,
)
from fastmux.exceptions import BrokenResourceError, ChannelReset, ClosedResourceError

if TYPE_CHECKING:
    from fastmux._core_py.channel_table import ChannelTable
    from fastmux.records import OpenFields

Record = tuple[Any, ...]  # (frame type, channel or None, what acknowledgement and loss need …)


# Invariant: the connection's credit holds exactly `_told`, what this channel last told it of charged,
# consumed and held bytes, and of its gap_count. The sending direction is over when RESET or everything up to
# FIN is acknowledged, the receiving one when everything up to the end was taken, discarded or reset. `level`,
# `weight`, `is_sender` and `quota` (what is left of the channel's turn, or saved for its next one) are the
# scheduler's.
class Channel(ABC):
    """One channel. `fields` is None until the peer's OPEN is here: until then nobody is told of it."""

    __slots__ = (
        "_is_done",
        "_told",
        "_watching",
        "_writer_waits",
        "fields",
        "id",
        "is_finishing",
        "is_open_acked",
        "is_released",
        "is_reset_acked",
        "is_sender",
        "level",
        "limit",
        "peer_limit",
        "quota",
        "reset_code",
        "reset_record",
        "stop_code",
        "stopped_code",
        "table",
        "weight",
        "window",
    )

    def __init__(self, table: ChannelTable, channel_id: int, fields: OpenFields | None) -> None:
        self.table = table
        self.id = channel_id
        self.fields = fields
        self.peer_limit = table.peer_channel_data
        self.limit = self.window = table.max_channel_data
        self.is_open_acked = channel_id & 1 != table.role  # the peer's channels need none of us
        self.is_finishing = False  # finish() was called
        self.reset_record: tuple[int, int, int] | None = None  # code, final size, charged: we reset
        self.is_reset_acked = False
        self.stop_code: int | None = None  # the peer asked us to stop
        self.reset_code: int | None = None  # the peer reset its direction
        self.stopped_code: int | None = None  # we asked the peer to stop
        self.is_released = False
        self.is_sender = False  # it may have something to send, now or later
        self.level = self.quota = 0
        self.weight = PRIORITY_WEIGHTS
        self._is_done = self._watching = self._writer_waits = False
        self._told = (0, 0, 0, 0)

    # --- what the subclasses know ------------------------------------------------------------------

    @property
    @abstractmethod
    def unsent_size(self) -> int:
        """Bytes (of messages: 128 times the units) never sent yet."""

    @property
    @abstractmethod
    def sent_held_size(self) -> int:
        """Bytes written and not acknowledged."""

    @property
    @abstractmethod
    def needs_no_credit(self) -> bool:
        """True if something may go without connection credit: lost data, a bare FIN, a started message."""

    @property
    @abstractmethod
    def has_new(self) -> bool:
        """True if something new may go as far as this channel's limit is concerned."""

    @property
    @abstractmethod
    def is_acknowledged(self) -> bool:
        """True if everything written, and the end if `finish` was called, is acknowledged."""

    @property
    @abstractmethod
    def is_readable(self) -> bool:
        """True if bytes, a message or the end can be taken."""

    @property
    @abstractmethod
    def readable_size(self) -> int:
        """Bytes that can be taken."""

    @property
    @abstractmethod
    def is_receive_over(self) -> bool:
        """True if everything up to the end was taken, discarded or reset."""

    @property
    @abstractmethod
    def is_size_known(self) -> bool:
        """True if the peer needs no more credit: its end is known."""

    @property
    @abstractmethod
    def charged(self) -> int:
        """What the peer sent, in bytes of credit."""

    @property
    @abstractmethod
    def consumed(self) -> int:
        """How much of that was taken, discarded or given up."""

    @property
    @abstractmethod
    def held_size(self) -> int:
        """Bytes that received data occupies."""

    @property
    @abstractmethod
    def span_count(self) -> int:
        """Runs of what was received."""

    @property
    @abstractmethod
    def gap_count(self) -> int:
        """Runs of what was received, but for one of stream bytes that can be read."""

    @property
    @abstractmethod
    def message_charge(self) -> int:
        """What messages take that are not taken, or sent and not over, beside their bytes."""

    @property
    @abstractmethod
    def sent_released(self) -> int:
        """What of the credit used here is confirmed so that nothing of it is kept."""

    @abstractmethod
    def _end_sending(self) -> None:
        """Notes that nothing will be written any more."""

    @abstractmethod
    def _drop_sending(self) -> tuple[int, int]:
        """Forgets what is unsent or unacknowledged; (final size, charged) for RESET."""

    @abstractmethod
    def _discard_receiving(self) -> None:
        """Drops what is held and what comes."""

    @abstractmethod
    def _reset_receiving(self, final_size: int, charged: int) -> None:
        """Drops what is held; the peer's direction ended with these figures."""

    @abstractmethod
    def _on_open(self, fields: OpenFields) -> None:
        """The peer's OPEN is here."""

    @abstractmethod
    def on_data_acked(self, record: Record) -> None:
        """STREAM or MESSAGE data arrived."""

    @abstractmethod
    def on_data_lost(self, record: Record) -> None:
        """STREAM or MESSAGE data was lost."""

    @abstractmethod
    def send_again(self, record: Record) -> None:
        """Queues STREAM or MESSAGE data again for a probe."""

    # --- sending -----------------------------------------------------------------------------------

    def check_writable(self) -> None:
        """BrokenResourceError after the peer's STOP, ClosedResourceError after finish or reset."""
        if self.stop_code is not None:
            raise BrokenResourceError("the peer stopped this channel")
        if self.is_finishing or self.reset_record is not None:
            raise ClosedResourceError("this direction of the channel is closed")

    def finish(self) -> None:
        """The end follows what was written; nothing happens if this direction has ended already."""
        if not self.is_finishing and self.reset_record is None:
            self.is_finishing = True
            self._end_sending()
            self.note_busy()
            self.table.schedule(self)

    def reset(self, code: int) -> None:
        """Ends this direction at once; nothing happens if it has ended already."""
        if self.reset_record is None and not self._is_delivered:
            before = self.sent_released
            self.reset_record = (code, *self._drop_sending())
            self.table.credit.sent_released += self.sent_released - before
            self.table.scheduler.unlist(self)
            for kind in (FRAME_MESSAGE_FIN, FRAME_MESSAGE_ABANDON):
                self.table.cancel(kind, self)
            self.table.queue(FRAME_RESET, self)
            self.note_busy()

    def on_stop(self, code: int) -> None:
        """The peer asks to stop: RESET with the same code, unless all is delivered or reset already."""
        if not self.is_sending_over:
            self.stop_code = code
            self.reset(code)
            self.notify(READY_STOPPED)

    def on_peer_limit(self, limit: int) -> None:
        """MAX_CHANNEL_DATA."""
        if limit > self.peer_limit:
            self.peer_limit = limit
            self.table.schedule(self)

    def watch_delivered(self) -> bool:
        """True if everything written is acknowledged; else READY_DELIVERED will tell."""
        if self.stop_code is not None:
            raise BrokenResourceError("the peer stopped this channel")
        if self.reset_record is not None:
            raise ClosedResourceError("this direction of the channel was reset")
        if self.is_acknowledged:
            return True
        self._watching = True
        return False

    def after_write(self) -> int:
        """Schedules what was written; returns the unsent size."""
        unsent = self.unsent_size
        self._writer_waits = self._writer_waits or unsent >= self.table.write_limit
        self.note_busy()
        self.table.schedule(self)
        return unsent

    def after_sending(self) -> None:
        """Tells a waiting writer when half of the write limit is free."""
        if self._writer_waits and self.unsent_size * 2 <= self.table.write_limit:
            self._writer_waits = False
            self.notify(READY_WRITABLE)

    def check_watch(self) -> None:
        """Tells who waits that everything written is acknowledged."""
        if self._watching and self.is_acknowledged:
            self._watching = False
            self.notify(READY_DELIVERED)

    def on_acked(self, record: Record) -> None:
        """A frame of this channel arrived."""
        kind = record[0]
        if kind == FRAME_OPEN:
            self.is_open_acked = True
        elif kind == FRAME_RESET:
            self.is_reset_acked = True
        elif kind not in (FRAME_STOP, FRAME_MAX_CHANNEL_DATA) and self.reset_record is None:
            before = self.sent_released
            self.on_data_acked(record)
            self.table.credit.sent_released += self.sent_released - before
            self.check_watch()
        self.note_busy()
        self.check_done()

    def on_lost(self, record: Record) -> None:
        """A frame of this channel was lost: what it says goes again if it still matters."""
        kind = record[0]
        if kind == FRAME_OPEN:
            needed = not self.is_open_acked
        elif kind == FRAME_RESET:
            needed = not self.is_reset_acked
        elif kind == FRAME_STOP:
            needed = not self.is_receive_over
        elif kind == FRAME_MAX_CHANNEL_DATA:
            needed = record[2] == self.limit and not self.is_size_known
        else:
            if self.reset_record is None:
                self.on_data_lost(record)
                self.table.schedule(self)
            return
        if needed:
            self.table.queue(kind, self)

    @property
    def is_send_over(self) -> bool:
        """True when the peer has confirmed the end of our direction."""
        return self.is_open_acked and (self.is_reset_acked or self._is_delivered)

    def note_busy(self) -> None:
        """Counts the channel while anything that it sent, or its OPEN or RESET, waits to be acknowledged."""
        is_over = self.is_acknowledged if self.reset_record is None else self.is_reset_acked
        if self.is_open_acked and is_over:
            self.table.busy.discard(self.id)
        else:
            self.table.busy.add(self.id)

    @property
    def is_sending_over(self) -> bool:
        """True if our direction was reset, or is delivered to its end: STOP changes nothing any more."""
        return self.reset_record is not None or self._is_delivered

    @property
    def _is_delivered(self) -> bool:
        return self.is_finishing and self.is_acknowledged and self.reset_record is None

    # --- receiving -----------------------------------------------------------------------------------

    def check_readable(self) -> None:
        """ChannelReset after the peer's RESET, ClosedResourceError after our stop."""
        if self.stopped_code is not None:
            raise ClosedResourceError("this channel was stopped")
        if self.reset_code is not None:
            raise ChannelReset(self.reset_code)

    def stop(self, code: int) -> None:
        """Drops what is held and what comes; nothing is sent if the direction is over then."""
        if self.stopped_code is None and not self.is_receive_over:
            self.stopped_code = code
            self._discard_receiving()
            self.table.credit.forget(self)
            if not self.is_receive_over:
                self.table.queue(FRAME_STOP, self)
            self.after_receiving()

    def on_open(self, fields: OpenFields) -> bool:
        """The peer's OPEN; False if it came before."""
        if self.fields is not None:
            return False
        self.fields = fields
        self.table.scheduler.admit(self, fields.priority)
        self._on_open(fields)
        flags = READY_OPENED
        if self.is_readable and self.reset_code is None:
            flags |= READY_READABLE
        if self.reset_code is not None:
            flags |= READY_RESET
        if self.stop_code is not None:
            flags |= READY_STOPPED
        self.notify(flags)
        self.after_receiving()
        return True

    def on_reset(self, code: int, final_size: int, charged: int) -> None:
        """The peer reset its direction; too late if everything was taken already."""
        if self.reset_code is None and not self.is_receive_over:
            self._reset_receiving(final_size, charged)
            self.reset_code = code
            self.table.cancel(FRAME_STOP, self)
            self.table.credit.forget(self)
            if self.stopped_code is None:
                self.notify(READY_RESET)
            self.after_receiving()

    def set_limit(self, limit: int, window: int) -> None:
        """Raises the limit that the peer is told."""
        self.window = window
        if limit > self.limit:
            self.limit = limit
            if not self.is_size_known:
                self.table.queue(FRAME_MAX_CHANNEL_DATA, self)

    def after_receiving(self) -> None:
        """Tells the connection's credit what changed, and the world when the channel is over."""
        charged, consumed, held, gaps = self.charged, self.consumed, self.held_size, self.gap_count
        credit, told = self.table.credit, self._told
        self._told = (charged, consumed, held, gaps)
        credit.charged += charged - told[0]
        credit.held_size += held - told[2]
        credit.gap_count += gaps - told[3]
        if consumed != told[1]:
            credit.consumed += consumed - told[1]
            wants_more = consumed + self.window - self.limit >= credit_step(self.window)
            if wants_more and self.stopped_code is None and not self.is_size_known:
                credit.note(self)
            self.check_done()
        elif self.is_receive_over:
            self.check_done()

    # --- both ----------------------------------------------------------------------------------------

    @property
    def told_gaps(self) -> int:
        """What the connection's credit holds of `gap_count`."""
        return self._told[3]

    def notify(self, flags: int) -> None:
        """Puts the channel on the ready list, once the application may know of it."""
        if self.fields is not None and not self.is_released:
            self.table.notify(self.id, flags)

    def release(self) -> None:
        """The application needs the channel no more: what it has not ended is given up."""
        if not self.is_finishing:
            self.reset(CANCELLED)
        self.stop(CANCELLED)
        self.is_released = True
        self.table.ready.pop(self.id, None)
        if self._is_done:
            self.table.remove(self)
        else:
            self.check_done()

    def check_done(self) -> None:
        """When both directions are over: tells the application, or frees the slot if it let go."""
        if self._is_done or self.fields is None or not self.is_send_over:
            return
        self.table.scheduler.dismiss(self)
        if not self.is_receive_over:
            return
        self._is_done = True
        if self.is_released:
            self.table.remove(self)
        else:
            self.notify(READY_DONE)
