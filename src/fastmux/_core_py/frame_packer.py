"""Packing frames about channels into a payload: limits, openings and ends first, then data in turn.

Owns: the layout of channel frames. May not know: headers, keys, trains, which channel comes next.
"""

from __future__ import annotations

from fastmux._core_py.channel import Channel, Record
from fastmux._core_py.channel_table import ChannelTable
from fastmux._core_py.frame_encoding import encode_frame
from fastmux._core_py.message_channel import MessageChannel
from fastmux._core_py.message_queue import MessageQueue
from fastmux._core_py.stream_channel import StreamChannel
from fastmux._core_py.varint import pack_varint, size_of
from fastmux.constants import (
    FRAGMENT_UNIT,
    FRAME_LENGTH,
    FRAME_MAX_CHANNEL_DATA,
    FRAME_MAX_CHANNELS,
    FRAME_MAX_DATA,
    FRAME_MESSAGE,
    FRAME_MESSAGE_ABANDON,
    FRAME_MESSAGE_FIN,
    FRAME_OPEN,
    FRAME_RESET,
    FRAME_STOP,
    FRAME_STREAM,
    MIN_ROOM,
    STREAM_FIN,
)


class FramePacker:
    """Takes what waits from a channel table and appends it to payloads."""

    __slots__ = ("_table", "retransmitted_bytes")

    def __init__(self, table: ChannelTable) -> None:
        self._table = table
        self.retransmitted_bytes = 0

    def pack_pending(self, payload: bytearray, records: list[Record], capacity: int) -> None:
        """Frames of the pending list, as many as fit."""
        pending = self._table.pending
        while pending:
            key, channel = next(iter(pending.items()))
            queue = _abandoning(key[0], channel)
            if queue is not None and not queue.abandon_due:
                del pending[key]  # acknowledged meanwhile
                continue
            record = self._pack_one(key, channel, payload, capacity)
            if record is None:
                return
            records.append(record)
            if queue is not None and queue.abandon_due:
                return
            del pending[key]

    def pack_channels(self, payload: bytearray, records: list[Record], capacity: int) -> None:
        """Data of channels, as the scheduler has them. O(1) per channel that sends or leaves."""
        table = self._table
        while capacity - len(payload) >= MIN_ROOM:
            turn = table.scheduler.next(capacity)
            if turn is None:
                return
            channel = turn.channel
            size = len(payload)
            if isinstance(channel, StreamChannel):
                self._pack_stream(channel, payload, records, capacity, turn.held)
            elif isinstance(channel, MessageChannel):
                self._pack_messages(channel, payload, records, capacity, turn.held)
            if len(payload) > size:
                channel.after_sending()
            table.schedule(channel)
            if table.scheduler.after(turn, len(payload) - size, capacity):
                return

    def _pack_one(
        self, key: tuple[int, int], channel: Channel | None, payload: bytearray, capacity: int
    ) -> Record | None:
        """Appends one pending frame and gives its record; None if there is no room."""
        kind, of = key
        table = self._table
        record: Record = (kind, channel)
        frame: tuple[object, ...]
        if kind == FRAME_MAX_DATA:
            frame = (kind, table.credit.limit)
            record = (kind, None, table.credit.limit)
        elif kind == FRAME_MAX_CHANNELS:
            frame = (kind, of, table.local_limits[of])
            record = (kind, None, of, table.local_limits[of])
        elif kind == FRAME_MESSAGE_ABANDON and isinstance(channel, MessageChannel):
            room = capacity - len(payload) - 20
            entries = tuple(channel.sending.take_abandoned(room // 12))
            if not entries:
                return None
            frame = (kind, of, entries)
            record = (kind, channel, tuple(message_id for message_id, _ in entries))
        else:
            frame = _channel_frame(kind, channel)
            if kind == FRAME_MAX_CHANNEL_DATA:
                record = (kind, channel, frame[2])
        encoded = encode_frame(frame)
        if len(encoded) > capacity - len(payload):
            return None
        payload += encoded
        return record

    def _pack_stream(
        self, channel: StreamChannel, payload: bytearray, records: list[Record], capacity: int, held: int
    ) -> None:
        """As many runs of the stream as fit; `held` is credit of the connection that it may not use."""
        sending, credit = channel.sending, self._table.credit
        head = size_of(channel.id) + 1
        while True:
            offset = sending._next_offset()
            room = capacity - len(payload) - head - size_of(offset)
            if room < MIN_ROOM // 2:
                return
            sent = sending.sent_size
            limit = min(channel.peer_limit, sent + max(0, credit.available - held))
            run = sending.next_range(room, limit)
            if run is None:
                return
            offset, data, fin = run
            credit.sent_charged += sending.sent_size - sent
            if offset < sent:
                self.retransmitted_bytes += len(data)
            kind = FRAME_STREAM | (STREAM_FIN if fin else 0)
            place = pack_varint(channel.id) + pack_varint(offset)
            _append(payload, kind, place, data, capacity)
            records.append((FRAME_STREAM, channel, offset, offset + len(data), fin))

    def _pack_messages(
        self, channel: MessageChannel, payload: bytearray, records: list[Record], capacity: int, held: int
    ) -> None:
        """As many runs of messages as fit, in whole units but for the end of a message; `held` as above."""
        sending, credit = channel.sending, self._table.credit
        while True:
            run = sending.next_run(credit.available > held and sending.charged < channel.peer_limit)
            if run is None:
                return
            message = run.message
            message_id = sending.next_id if message.id is None else message.id
            place = b"".join(map(pack_varint, (channel.id, message_id, run.start, message.count)))
            room = capacity - len(payload) - len(place) - 1
            stop = run.stop
            size = min(stop * FRAGMENT_UNIT, len(message.data)) - run.start * FRAGMENT_UNIT
            if size > room:
                stop = run.start + room // FRAGMENT_UNIT
            if room < 0 or stop <= run.start:
                return
            is_again = run.start < message.next_unit
            data, charge = sending.send(run, stop)
            credit.sent_charged += charge
            if is_again:
                self.retransmitted_bytes += len(data)
            _append(payload, FRAME_MESSAGE, place, data, capacity)
            records.append((FRAME_MESSAGE, channel, message_id, run.start, stop, run.attempt))


def _abandoning(kind: int, channel: Channel | None) -> MessageQueue | None:
    """Whose MESSAGE_ABANDON it is, None for another frame."""
    if kind == FRAME_MESSAGE_ABANDON and isinstance(channel, MessageChannel):
        return channel.sending
    return None


def _append(payload: bytearray, kind: int, place: bytes, data: bytes, capacity: int) -> None:
    """A frame of data: with a length where that fits, else without one and up to the very end."""
    left = capacity - len(payload) - 1 - len(place) - len(data)
    if left >= size_of(len(data)):
        payload.append(kind | FRAME_LENGTH)
        payload += place
        payload += pack_varint(len(data))
    else:
        payload += bytes(left)  # PADDING before it
        payload.append(kind)
        payload += place
    payload += data


def _channel_frame(kind: int, channel: Channel | None) -> tuple[object, ...]:
    """The frame that says how a channel stands."""
    if channel is None:
        raise ValueError("a channel is needed")
    if kind == FRAME_OPEN and channel.fields is not None:
        label, priority, ordered, reliability, value = channel.fields
        return kind, channel.id, priority, ordered, reliability, value, label
    if kind == FRAME_RESET and channel.reset_record is not None:
        return (kind, channel.id, *channel.reset_record)
    if kind == FRAME_STOP:
        return kind, channel.id, channel.stopped_code
    if kind == FRAME_MESSAGE_FIN and isinstance(channel, MessageChannel):
        return kind, channel.id, channel.sending.next_id
    return FRAME_MAX_CHANNEL_DATA, channel.id, channel.limit
