"""Receiving: a train is cut into packets, each is opened, checked whole and then applied.

Owns: the order of these steps and what each frame does. May not know: how anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastmux._core_py._datagrams import Datagrams
from fastmux._core_py.channel import Channel
from fastmux._core_py.channel_table import Released
from fastmux._core_py.control import is_reported
from fastmux._core_py.frame_encoding import NOT_ACK_ELICITING, PROBING
from fastmux._core_py.frames import Frame, split_frames
from fastmux._core_py.key_update import KeyUpdate
from fastmux._core_py.message_channel import MessageChannel
from fastmux._core_py.packet_checker import MemoryLimit, PacketChecker
from fastmux._core_py.recovery import Recovery
from fastmux._core_py.stream_channel import StreamChannel
from fastmux._core_py.varint import expand_packet_number
from fastmux.constants import (
    AEAD_LIMIT_REACHED,
    CHACHA20_FAILURE_LIMIT,
    FIXED_BIT,
    FORM_LONG,
    FRAME_ACK,
    FRAME_ACK_ECN,
    FRAME_DATAGRAM,
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
    KEY_PHASE_BIT,
    MAX_REPORTED_FRAMES,
    PACKET_NUMBER_SIZE,
    PROTOCOL_VIOLATION,
    SHORT_RESERVED_MASK,
    TAG_SIZE,
)
from fastmux.exceptions import ProtocolError
from fastmux.records import OpenFields

_COUNTERS = (
    "packets_received",
    "bytes_received",
    "undecryptable_packets",
    "duplicate_packets",
    "dropped_packets",
    "malformed_packets",
    "acks_received",
    "glitches",
)


class PacketReader:
    """What comes in on one connection: short-header packets with an id of ours."""

    __slots__ = (
        "_checker",
        "_datagrams",
        "_keys",
        "_id_size",
        "_recovery",
        "_reported",
        "_table",
        "_was_useless",
        "counts",
        "largest_non_probing",
        "last_received_at",
        "now",
    )

    def __init__(
        self,
        id_size: int,
        recovery: Recovery,
        keys: KeyUpdate,
        datagrams: Datagrams,
        max_message_size: int,
    ) -> None:
        self._id_size = id_size
        self._keys = keys
        self._recovery = recovery
        self._table = recovery.table
        self._datagrams = datagrams
        self._checker = PacketChecker(
            recovery.table, recovery.sent, datagrams, recovery.control, max_message_size
        )
        self.counts = dict.fromkeys(_COUNTERS, 0)
        self.last_received_at = self.now = 0.0
        self.largest_non_probing = -1
        self._was_useless = False  # a frame of the packet at hand brought nothing new
        self._reported = 0  # frames of that packet that go to Python

    def receive(self, train: memoryview, segment_size: int, now: float) -> int:
        """Takes the segments at the front of `train` that have the id of the first; returns the bytes taken.

        ProtocolError if a packet breaks a rule: those before it are applied, it is not.
        """
        self.now = now
        at, size = 0, len(train)
        name = train[1 : 1 + self._id_size]
        try:
            while at < size:
                stop = min(at + segment_size, size)
                packet = train[at:stop]
                if not self._is_for(packet, name):
                    break
                self._packet(packet)
                at = stop
        finally:
            self._recovery.acks.on_train(now)
        return at

    def _is_for(self, packet: memoryview, name: memoryview) -> bool:
        size = 1 + self._id_size
        return (
            len(packet) >= size
            and packet[0] & (FORM_LONG | FIXED_BIT) == FIXED_BIT
            and packet[1:size] == name
        )

    def _packet(self, packet: memoryview) -> None:
        """One packet: open, filter, check, apply."""
        counts, received = self.counts, self._recovery.acks.received
        header_size = 1 + self._id_size + PACKET_NUMBER_SIZE
        if len(packet) < header_size + TAG_SIZE:
            counts["malformed_packets"] += 1
            return
        header = bytes(packet[:header_size])
        truncated = int.from_bytes(header[-PACKET_NUMBER_SIZE:], "big")
        number = expand_packet_number(truncated, received.largest)
        payload = self._keys.open(number, header, packet[header_size:])
        if payload is None:
            self._count_failure()
            return
        if received._has(number):
            counts["duplicate_packets"] += 1
            return
        self.last_received_at = self.now
        if header[0] & SHORT_RESERVED_MASK:
            raise ProtocolError(PROTOCOL_VIOLATION, "reserved bits of the header")
        frames = split_frames(payload)
        try:
            self._checker.check(frames)
        except MemoryLimit:
            counts["dropped_packets"] += 1
            return
        if number < self._keys.watch_below:
            self._keys.check(number, header[0] & KEY_PHASE_BIT, frames)
        counts["packets_received"] += 1
        counts["bytes_received"] += len(packet)
        self._apply(number, frames)

    def _count_failure(self) -> None:
        self.counts["undecryptable_packets"] += 1
        if self.counts["undecryptable_packets"] >= CHACHA20_FAILURE_LIMIT:  # the lower of the two limits
            raise ProtocolError(AEAD_LIMIT_REACHED, "too many packets that do not authenticate")

    def _apply(self, number: int, frames: list[Frame]) -> None:
        kinds = {frame[0] for frame in frames}
        if not kinds <= PROBING:
            self.largest_non_probing = max(self.largest_non_probing, number)
        for frame in frames:
            kind = frame[0]
            apply = _APPLIERS.get(kind)
            if apply is not None:
                apply(self, frame)
            elif is_reported(kind):
                self._report(frame)
        self.counts["glitches"] += self._was_useless
        self._was_useless = False
        self._reported = 0
        self._recovery.acks.on_packet(number, self.now, not kinds <= NOT_ACK_ELICITING)

    def _channel(self, channel_id: int) -> Channel | None:
        """The channel a frame speaks of, made if it is new; None if it is over."""
        found = self._table.find(channel_id)
        if isinstance(found, Released):
            self._was_useless = True
            return None
        return self._table.create(channel_id) if found is None else found

    def _glitch_unless(self, useful: bool) -> None:
        if not useful:
            self._was_useless = True

    def _report(self, frame: Frame) -> None:
        """A frame that Python acts on: it costs more than any other, so few of a packet are of use."""
        self._reported += 1
        self._glitch_unless(self._reported <= MAX_REPORTED_FRAMES)
        self._recovery.control.report(*frame)

    # --- what each frame does -------------------------------------------------------------------------

    def _ack(self, frame: Frame) -> None:
        self.counts["acks_received"] += 1
        self._recovery.on_ack(frame[2], frame[1], self.now)

    def _stream(self, frame: Frame) -> None:
        channel = self._channel(frame[1])
        if isinstance(channel, StreamChannel):
            self._glitch_unless(channel.receive(frame[2], frame[3], frame[4]))

    def _message(self, frame: Frame) -> None:
        channel = self._channel(frame[1])
        if isinstance(channel, MessageChannel):
            self._glitch_unless(channel.receive(frame[2], frame[3], frame[4], frame[5]))

    def _message_fin(self, frame: Frame) -> None:
        channel = self._channel(frame[1])
        if isinstance(channel, MessageChannel):
            self._glitch_unless(channel.inbox.final_count is None)
            channel.on_finish(frame[2])

    def _message_abandon(self, frame: Frame) -> None:
        channel = self._channel(frame[1])
        if isinstance(channel, MessageChannel):
            consumed = self._table.credit.consumed
            channel.on_abandon(frame[2])
            self._glitch_unless(self._table.credit.consumed > consumed)

    def _datagram(self, frame: Frame) -> None:
        self._datagrams.incoming.append(frame[1])

    def _open(self, frame: Frame) -> None:
        _, channel_id, priority, ordered, reliability, value, label = frame
        channel = self._channel(channel_id)
        if channel is not None:
            fields = OpenFields(label, priority, ordered, reliability, value)
            self._glitch_unless(channel.on_open(fields))

    def _reset(self, frame: Frame) -> None:
        channel = self._channel(frame[1])
        if channel is not None:
            self._glitch_unless(channel.reset_code is None and not channel.is_receive_over)
            channel.on_reset(frame[2], frame[3], frame[4])

    def _stop(self, frame: Frame) -> None:
        channel = self._channel(frame[1])
        if channel is not None:
            self._glitch_unless(not channel.is_sending_over)
            channel.on_stop(frame[2])

    def _max_data(self, frame: Frame) -> None:
        credit = self._table.credit
        self._glitch_unless(frame[1] > credit.peer_limit)
        credit.peer_limit = max(credit.peer_limit, frame[1])

    def _max_channel_data(self, frame: Frame) -> None:
        channel = self._channel(frame[1])
        if channel is not None:
            self._glitch_unless(frame[2] > channel.peer_limit)
            channel.on_peer_limit(frame[2])

    def _max_channels(self, frame: Frame) -> None:
        if self._table.on_peer_limit(frame[1], frame[2]):
            self._report(frame)
        else:
            self._was_useless = True


_APPLIERS: dict[int, Callable[[PacketReader, Any], None]] = {
    FRAME_ACK: PacketReader._ack,
    FRAME_ACK_ECN: PacketReader._ack,
    FRAME_STREAM: PacketReader._stream,
    FRAME_MESSAGE: PacketReader._message,
    FRAME_MESSAGE_FIN: PacketReader._message_fin,
    FRAME_MESSAGE_ABANDON: PacketReader._message_abandon,
    FRAME_DATAGRAM: PacketReader._datagram,
    FRAME_OPEN: PacketReader._open,
    FRAME_RESET: PacketReader._reset,
    FRAME_STOP: PacketReader._stop,
    FRAME_MAX_DATA: PacketReader._max_data,
    FRAME_MAX_CHANNEL_DATA: PacketReader._max_channel_data,
    FRAME_MAX_CHANNELS: PacketReader._max_channels,
}
