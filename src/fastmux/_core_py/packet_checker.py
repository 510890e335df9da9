"""The first of two passes over a packet: every rule and every memory limit, before anything changes.

Owns: the checks of frames against the state of channels and credit. May not know: how frames are applied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastmux._core_py._datagrams import Datagrams
from fastmux._core_py.channel import Channel
from fastmux._core_py.channel_table import RELEASED, ChannelTable
from fastmux._core_py.control import Control, is_reported, report_charge
from fastmux._core_py.frames import Frame
from fastmux._core_py.message_channel import MessageChannel
from fastmux._core_py.reassembler import run_stop
from fastmux._core_py.receive_stream import check_final_size
from fastmux._core_py.sent_packets import SentPackets
from fastmux._core_py.stream_channel import StreamChannel
from fastmux.constants import (
    BLOCK_SIZE,
    CHANNEL_STATE_ERROR,
    FINAL_SIZE_ERROR,
    FLOW_CONTROL_ERROR,
    FRAGMENT_UNIT,
    FRAME_ACK,
    FRAME_ACK_ECN,
    FRAME_CHANNEL_DATA_BLOCKED,
    FRAME_DATAGRAM,
    FRAME_HANDSHAKE,
    FRAME_HANDSHAKE_DONE,
    FRAME_MAX_CHANNEL_DATA,
    FRAME_MESSAGE,
    FRAME_MESSAGE_ABANDON,
    FRAME_MESSAGE_FIN,
    FRAME_OPEN,
    FRAME_PARAMETERS,
    FRAME_RESET,
    FRAME_STOP,
    FRAME_STREAM,
    KIND_MESSAGE,
    KIND_STREAM,
    MIN_RECEIVED_SPANS,
    PROTOCOL_VIOLATION,
    RECEIVED_SPAN_DIVISOR,
    ROLE_SERVER,
)
from fastmux.exceptions import ProtocolError


class MemoryLimit(Exception):
    """The packet is within the rules, but this end has no room for it: it is dropped unacknowledged."""


class _View:
    """A channel's receiving direction as it will be after the frames checked so far."""

    __slots__ = ("limit", "new_spans", "spans", "window")

    def __init__(self, channel: Channel | None, initial_limit: int) -> None:
        self.spans = self.new_spans = 0
        self.limit = initial_limit if channel is None else channel.limit
        self.window = initial_limit if channel is None else channel.window


class _StreamView(_View):
    __slots__ = ("final_size", "highest")

    def __init__(self, channel: StreamChannel | None, initial_limit: int) -> None:
        super().__init__(channel, initial_limit)
        self.highest = 0
        self.final_size: int | None = None
        if channel is not None:
            self.highest = channel.received.highest_offset
            self.spans = channel.received.span_count
            self.final_size = channel.received.final_size


class _MessagesView(_View):
    __slots__ = ("charged", "final_count", "last_sizes", "next_unseen", "over", "seen")

    def __init__(self, channel: MessageChannel | None, initial_limit: int) -> None:
        super().__init__(channel, initial_limit)
        self.charged = self.next_unseen = 0
        self.final_count: int | None = None
        self.seen: dict[int, int] = {}  # fragment counts of messages first seen in this packet
        self.last_sizes: dict[int, int] = {}  # ends of messages seen in this packet
        self.over: set[int] = set()  # abandoned in this packet
        if channel is not None:
            self.charged = channel.inbox.charged
            self.spans = channel.inbox.span_count
            self.next_unseen = channel.inbox.next_unseen
            self.final_count = channel.inbox.final_count


class PacketChecker:
    """Checks one packet at a time; `check` leaves everything outside as it was."""

    __slots__ = (
        "_charged",
        "_control",
        "_datagrams",
        "_max_units",
        "_messages",
        "_new_spans",
        "_reported",
        "_sent",
        "_stored",
        "_streams",
        "_table",
    )

    def __init__(
        self,
        table: ChannelTable,
        sent: SentPackets,
        datagrams: Datagrams,
        control: Control,
        max_message_size: int,
    ) -> None:
        self._table = table
        self._sent = sent
        self._datagrams = datagrams
        self._control = control
        self._max_units = max(1, (max_message_size + FRAGMENT_UNIT - 1) // FRAGMENT_UNIT)
        self._streams: dict[int, _StreamView] = {}
        self._messages: dict[int, _MessagesView] = {}
        self._charged = self._stored = self._reported = self._new_spans = 0

    def check(self, frames: list[Frame]) -> None:
        """ProtocolError if a frame breaks a rule, MemoryLimit if there is no room for the packet."""
        self._charged = self._stored = self._reported = self._new_spans = 0
        self._streams.clear()
        self._messages.clear()
        for frame in frames:
            checker = _CHECKERS.get(frame[0])
            if checker is not None:
                checker(self, frame)
            if is_reported(frame[0]):
                self._reported += report_charge(frame)
        credit = self._table.credit
        if self._stored and credit.held_size + self._stored > self._held_limit():
            raise MemoryLimit("the budget is used up")
        if self._reported and not self._control.has_room(self._reported):
            raise MemoryLimit("too many control frames wait")
        if self._new_spans:
            self._check_spans()

    def _add_span(self, view: _View) -> None:
        """One run more; above the channel's limit nothing else in the packet matters."""
        view.new_spans += 1
        self._new_spans += 1
        if view.spans + view.new_spans > max(MIN_RECEIVED_SPANS, view.window // RECEIVED_SPAN_DIVISOR):
            raise MemoryLimit("too many spans")

    def _check_spans(self) -> None:
        """Runs of all channels; what fills a gap is always taken."""
        table, credit = self._table, self._table.credit
        most = credit.max_spans + len(table.channels) + len(self._streams) + len(self._messages)
        # a whole message right behind one that is new and partial makes a run that was not counted
        if credit.gap_count + 2 * self._new_spans > most:
            raise MemoryLimit("too many spans in all")

    def _held_limit(self) -> int:
        """What a peer within its credit can make us hold: dropping less than that could go on for ever.

        The budget, one message that overdraws it, and a first and last block of each stream, not full.
        """
        table = self._table
        message_size = table.credit.max_message_charge if table.local_limits[KIND_MESSAGE] else 0
        return table.credit.budget + message_size + 2 * BLOCK_SIZE * len(table.channels)

    def _ack(self, frame: Frame) -> None:
        self._sent._check(frame[2])

    def _forbidden(self, frame: Frame) -> None:
        raise ProtocolError(PROTOCOL_VIOLATION, "frame of the handshake")

    def _handshake_done(self, frame: Frame) -> None:
        if self._table.role == ROLE_SERVER:
            raise ProtocolError(PROTOCOL_VIOLATION, "HANDSHAKE_DONE from a client")

    def _datagram(self, frame: Frame) -> None:
        if not self._datagrams.max_received or len(frame[1]) > self._datagrams.max_received:
            raise ProtocolError(PROTOCOL_VIOLATION, "datagram larger than announced")

    def _any_channel(self, frame: Frame) -> None:
        self._table.find(frame[1])

    def _open(self, frame: Frame) -> None:
        if frame[1] & 1 == self._table.role:
            raise ProtocolError(CHANNEL_STATE_ERROR, "OPEN of a channel of ours")
        self._table.find(frame[1])

    # --- streams --------------------------------------------------------------------------------------

    def _stream_view(self, channel_id: int) -> tuple[_StreamView, StreamChannel | None] | None:
        """The stream so far; None if frames for it are ignored."""
        if channel_id >> 1 & 1 != KIND_STREAM:
            raise ProtocolError(CHANNEL_STATE_ERROR, "stream frame on a message channel")
        channel = self._table.find(channel_id)
        if channel is RELEASED:
            return None
        stream = channel if isinstance(channel, StreamChannel) else None
        view = self._streams.get(channel_id)
        if view is None:
            view = self._streams[channel_id] = _StreamView(stream, self._table.max_channel_data)
        return view, stream

    def _stream(self, frame: Frame) -> None:
        found = self._stream_view(frame[1])
        if found is None:
            return
        view, stream = found
        start, size = frame[2], len(frame[3])
        self._end_stream(view, start + size, frame[4])
        self._stored += size
        if size and (stream is None or not stream.received._touches(start, start + size)):
            self._add_span(view)

    def _end_stream(self, view: _StreamView, stop: int, fin: bool) -> None:
        check_final_size(view.highest, view.final_size, stop, fin)
        if fin:
            view.final_size = stop
        if stop > view.highest:
            if stop > view.limit:
                raise ProtocolError(FLOW_CONTROL_ERROR, "stream data above the channel's limit")
            self._charge(stop - view.highest)
            view.highest = stop

    # --- messages -------------------------------------------------------------------------------------

    def _messages_view(self, channel_id: int) -> tuple[_MessagesView, MessageChannel | None] | None:
        """The message channel so far; None if frames for it are ignored."""
        if channel_id >> 1 & 1 != KIND_MESSAGE:
            raise ProtocolError(CHANNEL_STATE_ERROR, "message frame on a stream")
        channel = self._table.find(channel_id)
        if channel is RELEASED:
            return None
        messages = channel if isinstance(channel, MessageChannel) else None
        view = self._messages.get(channel_id)
        if view is None:
            view = _MessagesView(messages, self._table.max_channel_data)
            self._messages[channel_id] = view
        if messages is not None and messages.reset_code is not None:
            return None
        return view, messages

    def _message(self, frame: Frame) -> None:
        found = self._messages_view(frame[1])
        _, channel_id, message_id, index, count, data = frame
        if count > self._max_units:
            raise ProtocolError(PROTOCOL_VIOLATION, "message larger than announced")
        stop = run_stop(index, len(data), count)
        if found is None or not self._see(*found, message_id, count):
            return
        view, channel = found
        known = channel.inbox.partial.get(message_id) if channel is not None else None
        if known is not None:
            known[0]._check(index, len(data))
        if stop == count:
            last_size = len(data) - (count - 1 - index) * FRAGMENT_UNIT
            if view.last_sizes.setdefault(message_id, last_size) != last_size:
                raise ProtocolError(FINAL_SIZE_ERROR, "message size changed")
        self._stored += len(data)
        if known is not None:
            makes_new = not known[0]._touches(index, stop)
        else:
            makes_new = index > 0 or stop < count or not _is_next(view, channel, message_id)
        if makes_new:
            self._add_span(view)

    def _abandon(self, frame: Frame) -> None:
        found = self._messages_view(frame[1])
        for message_id, count in frame[2]:
            if not 0 < count <= self._max_units:
                raise ProtocolError(PROTOCOL_VIOLATION, "message larger than announced")
            if found is not None and self._see(*found, message_id, count):
                view, channel = found
                view.over.add(message_id)
                if not _is_next(view, channel, message_id):
                    self._add_span(view)

    def _see(self, view: _MessagesView, channel: MessageChannel | None, message_id: int, count: int) -> bool:
        """Charges a message never seen; False if it is done."""
        known = channel.inbox.count_of(message_id) if channel is not None else 0
        if known is None or message_id in view.over:
            return False
        known = known or view.seen.get(message_id, 0)
        if known:
            if known != count:
                raise ProtocolError(PROTOCOL_VIOLATION, "fragment count changed")
            return True
        if view.final_count is not None and message_id >= view.final_count:
            raise ProtocolError(FINAL_SIZE_ERROR, "message beyond the last one")
        view.seen[message_id] = count
        view.next_unseen = max(view.next_unseen, message_id + 1)
        self._charge_messages(view, count * FRAGMENT_UNIT)
        return True

    def _message_fin(self, frame: Frame) -> None:
        found = self._messages_view(frame[1])
        if found is not None:
            self._end_messages(found[0], frame[2])

    def _end_messages(self, view: _MessagesView, count: int) -> None:
        if view.final_count not in (None, count):
            raise ProtocolError(FINAL_SIZE_ERROR, "message count changed")
        if count < view.next_unseen:
            raise ProtocolError(FINAL_SIZE_ERROR, "message count below the messages received")
        view.final_count = count

    def _charge_messages(self, view: _MessagesView, charge: int) -> None:
        """Messages may pass a limit by the largest one (docs/wire-format.md §10)."""
        view.charged += charge
        if charge and view.charged > view.limit + self._table.credit.max_message_charge:
            raise ProtocolError(FLOW_CONTROL_ERROR, "messages above the channel's limit")
        self._charge(charge)

    # --- both -----------------------------------------------------------------------------------------

    def _reset(self, frame: Frame) -> None:
        _, channel_id, _, final_size, charged = frame
        if channel_id >> 1 & 1 == KIND_STREAM:
            stream = self._stream_view(channel_id)
            if charged != final_size:
                raise ProtocolError(FINAL_SIZE_ERROR, "RESET of a stream charges its final size")
            if stream is not None:
                self._end_stream(stream[0], final_size, True)
            return
        messages = self._messages_view(channel_id)
        if messages is None:
            return
        view = messages[0]
        self._end_messages(view, final_size)
        if charged < view.charged or charged % FRAGMENT_UNIT or charged < final_size * FRAGMENT_UNIT:
            raise ProtocolError(FINAL_SIZE_ERROR, "RESET charges less than was received")
        self._charge_messages(view, charged - view.charged)

    def _charge(self, amount: int) -> None:
        """The connection's limit; where there may be messages, it may be passed by the largest one."""
        credit = self._table.credit
        self._charged += amount
        total = credit.charged + self._charged
        if total > credit.limit:
            allowance = credit.max_message_charge if self._table.local_limits[KIND_MESSAGE] else 0
            if amount and total > credit.limit + allowance:
                raise ProtocolError(FLOW_CONTROL_ERROR, "data above the connection's limit")


def _is_next(view: _MessagesView, channel: MessageChannel | None, message_id: int) -> bool:
    """True if a message that is over with this packet makes no new run of done ids."""
    if message_id - 1 in view.seen:
        return True
    return channel is not None and channel.inbox.done._touches(message_id, message_id + 1)


_CHECKERS: dict[int, Callable[[PacketChecker, Any], None]] = {
    FRAME_ACK: PacketChecker._ack,
    FRAME_ACK_ECN: PacketChecker._ack,
    FRAME_HANDSHAKE: PacketChecker._forbidden,
    FRAME_PARAMETERS: PacketChecker._forbidden,
    FRAME_HANDSHAKE_DONE: PacketChecker._handshake_done,
    FRAME_DATAGRAM: PacketChecker._datagram,
    FRAME_OPEN: PacketChecker._open,
    FRAME_STOP: PacketChecker._any_channel,
    FRAME_MAX_CHANNEL_DATA: PacketChecker._any_channel,
    FRAME_CHANNEL_DATA_BLOCKED: PacketChecker._any_channel,
    FRAME_STREAM: PacketChecker._stream,
    FRAME_MESSAGE: PacketChecker._message,
    FRAME_MESSAGE_FIN: PacketChecker._message_fin,
    FRAME_MESSAGE_ABANDON: PacketChecker._abandon,
    FRAME_RESET: PacketChecker._reset,
}
