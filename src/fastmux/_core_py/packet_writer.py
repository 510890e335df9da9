"""Sending: packets are filled with what waits, sealed, and put side by side into a train.

Owns: the order in which frames go and the layout of a train. May not know: how anything is received, clocks,
congestion windows.
"""

from __future__ import annotations

from fastmux._core_py._datagrams import Datagrams
from fastmux._core_py.channel import Record
from fastmux._core_py.frame_encoding import NOT_ACK_ELICITING, encode_frame
from fastmux._core_py.frame_packer import FramePacker
from fastmux._core_py.key_update import KeyUpdate
from fastmux._core_py.protection import PacketProtection
from fastmux._core_py.recovery import CONTROL_TOKEN, Recovery
from fastmux._core_py.varint import pack_varint
from fastmux.constants import (
    AEAD_LIMIT_REACHED,
    FIXED_BIT,
    FRAME_ACK,
    FRAME_DATAGRAM,
    FRAME_LENGTH,
    FRAME_PING,
    MAX_ACK_RANGES_SENT,
    MAX_PACKET_NUMBER,
    MAX_VARINT,
    PACKET_NUMBER_SIZE,
    SEALS_KEPT,
    TAG_SIZE,
)
from fastmux.exceptions import ProtocolError


class PacketWriter:
    """What goes out on one connection: short-header packets to the peer's id."""

    __slots__ = ("_datagrams", "_keys", "_packer", "_recovery", "_table", "counts", "remote_id")

    def __init__(self, recovery: Recovery, keys: KeyUpdate, datagrams: Datagrams) -> None:
        self._keys = keys
        self._recovery = recovery
        self._table = recovery.table
        self._datagrams = datagrams
        self._packer = FramePacker(recovery.table)
        self.remote_id = b""
        self.counts = dict.fromkeys(("packets_sent", "bytes_sent", "acks_sent"), 0)

    @property
    def has_pending(self) -> bool:
        """True if `fill` with room would send something."""
        table, recovery = self._table, self._recovery
        return self._keys.sealing is not None and bool(
            recovery.probes
            or recovery.acks.is_due_now
            or recovery.control.queued
            or table.pending
            or self._datagrams.outgoing.items
            or table.scheduler.choice
        )

    def wants_fill(self, now: float) -> bool:
        """True if `fill` with room would send something now."""
        is_ack_due = self._keys.sealing is not None and self._recovery.acks.is_due(now)
        return is_ack_due or self.has_pending

    @property
    def retransmitted_bytes(self) -> int:
        """Bytes of stream and message data sent again."""
        return self._packer.retransmitted_bytes

    def fill(self, train: memoryview, segment_size: int, size_limit: int, now: float) -> tuple[int, int]:
        """(size, segments) of trains written to the front of `train`; docs/core.md says what goes first.

        ProtocolError(AEAD_LIMIT_REACHED) when the key has sealed all it may.
        """
        sealing = self._keys.sealing
        if sealing is None:
            return 0, 0
        remaining = self._remaining(sealing)
        if remaining <= SEALS_KEPT:
            raise ProtocolError(AEAD_LIMIT_REACHED, "too many packets under one key")
        at = segments = 0
        room_size = len(train) - segment_size
        max_segments = remaining - SEALS_KEPT
        allowance = size_limit
        self._table.scheduler.set_allowance(size_limit, segment_size)
        while at <= room_size and segments < max_segments:
            is_probe = self._recovery.probes > 0
            payload, records, eliciting = self._assemble(
                segment_size, is_probe or allowance >= segment_size, now
            )
            if not payload:
                break
            if is_probe and eliciting:
                self._recovery.probes -= 1
            size = self._packet_size(payload)
            if eliciting:
                may_go_on = self._recovery.probes > 0 or allowance >= 2 * segment_size
                has_room = at + segment_size <= room_size and segments + 1 < max_segments
                if may_go_on and has_room and self.has_pending:
                    payload += bytes(segment_size - size)
                    size = segment_size
                allowance -= size
            self._send(train[at : at + size], payload, records, eliciting, now)
            at += size
            segments += 1
            if size < segment_size or not eliciting:
                break
        if allowance >= segment_size and not self.has_pending:
            self._recovery.sent.set_app_limited()
        return at, segments

    def build(self, packet: memoryview, payload: bytes, size: int, token: int, now: float) -> int:
        """One packet of the given frames, padded to `size` in all (0: as it is); returns its size.

        ValueError if it does not fit or is empty, or no keys are set.
        """
        sealing = self._keys.sealing
        if sealing is None:
            raise ValueError("no keys are set")
        body = bytearray(payload)
        body += bytes(max(0, size - self._packet_size(body)))
        length = self._packet_size(body)
        if not body or length > len(packet):
            raise ValueError("the packet does not fit")
        if self._remaining(sealing) <= 0:
            raise ProtocolError(AEAD_LIMIT_REACHED, "too many packets under one key")
        self._seal(packet[:length], body)
        number = self._recovery.sent._add(length, now, token != 0, token != 0, True)
        if token:
            self._recovery.records[number] = [(CONTROL_TOKEN, None, token)]
        return length

    def _send(
        self, packet: memoryview, payload: bytearray, records: list[Record], eliciting: bool, now: float
    ) -> None:
        """Seals and files one packet of a train."""
        self._seal(packet, payload)
        number = self._recovery.sent._add(len(packet), now, eliciting, eliciting)
        if records and eliciting:
            self._recovery.records[number] = records

    def _remaining(self, sealing: PacketProtection) -> int:
        """Packets that may still go: under the key, and with a number (docs/wire-format.md §3.7)."""
        return min(sealing._remaining, MAX_PACKET_NUMBER + 1 - self._recovery.sent.next_packet_number)

    def _packet_size(self, payload: bytearray) -> int:
        return 1 + len(self.remote_id) + PACKET_NUMBER_SIZE + len(payload) + TAG_SIZE

    def _seal(self, packet: memoryview, payload: bytearray) -> None:
        sealing = self._keys.sealing
        if sealing is None:
            raise ValueError("no keys are set")
        number = self._recovery.sent.next_packet_number
        first = bytes((FIXED_BIT | self._keys.send_phase,))
        header = first + self.remote_id + (number & 0xFFFFFFFF).to_bytes(4, "big")
        packet[: len(header)] = header
        packet[len(header) :] = sealing._seal(number, header, payload)
        self.counts["packets_sent"] += 1
        self.counts["bytes_sent"] += len(packet)

    # --- one packet -----------------------------------------------------------------------------------

    def _assemble(
        self, segment_size: int, may_elicit: bool, now: float
    ) -> tuple[bytearray, list[Record], bool]:
        """(payload, records, ack-eliciting) of the next packet; an empty payload if nothing is to go."""
        payload, records = bytearray(), list[Record]()
        capacity = segment_size - self._packet_size(payload)
        acks = self._recovery.acks
        wants_data = may_elicit and self.has_pending
        if acks.due_at is not None and (wants_data or acks.is_due(now)):
            self._pack_ack(payload, records, capacity // 2, now)
        ack_size, eliciting = len(payload), False
        if wants_data:
            eliciting = self._pack_control(payload, records, capacity)
            size = len(payload)
            self._packer.pack_pending(payload, records, capacity)
            self._pack_datagrams(payload, capacity)
            self._packer.pack_channels(payload, records, capacity)
            self._packer.pack_pending(payload, records, capacity)  # a MESSAGE_FIN that is due just now
            eliciting = eliciting or len(payload) > size
            if self._recovery.probes and not eliciting and len(payload) < capacity:
                payload.append(FRAME_PING)
                eliciting = True
        if len(payload) == ack_size and not acks.is_due(now):
            return bytearray(), [], False
        if ack_size:
            acks.on_sent()
            self.counts["acks_sent"] += 1
        return payload, records, eliciting

    def _pack_ack(self, payload: bytearray, records: list[Record], room: int, now: float) -> None:
        received = self._recovery.acks.received
        ranges = received.ack_ranges(MAX_ACK_RANGES_SENT)
        if not ranges:  # an acknowledged ACK told all of it already
            self._recovery.acks.on_sent()
            return
        delay = min(max(0.0, now - received.largest_at), MAX_VARINT)  # more is not finite in the wire's units
        frame = encode_frame((FRAME_ACK, delay, ranges))
        while len(frame) > room:
            ranges = ranges[: len(ranges) // 2]
            frame = encode_frame((FRAME_ACK, delay, ranges))
        payload += frame
        records.append((FRAME_ACK, None, ranges[0][1] - 1))

    def _pack_control(self, payload: bytearray, records: list[Record], capacity: int) -> bool:
        """Frames that Python queued; True if one of them is ack-eliciting."""
        eliciting = False
        queued = self._recovery.control.next(capacity - len(payload))
        while queued is not None:
            token, frame = queued
            payload += frame
            eliciting = eliciting or frame[0] not in NOT_ACK_ELICITING
            if token:
                records.append((CONTROL_TOKEN, None, token))
            queued = self._recovery.control.next(capacity - len(payload))
        return eliciting

    def _pack_datagrams(self, payload: bytearray, capacity: int) -> None:
        outgoing = self._datagrams.outgoing
        while outgoing.items:
            size = len(outgoing.items[0])
            head = pack_varint(size)
            whole_size = 1 + len(head) + size
            if whole_size > capacity:  # larger than any packet of this path
                outgoing.popleft()
                outgoing.dropped += 1
                continue
            if whole_size > capacity - len(payload):
                return
            payload.append(FRAME_DATAGRAM | FRAME_LENGTH)
            payload += head
            payload += outgoing.popleft()
