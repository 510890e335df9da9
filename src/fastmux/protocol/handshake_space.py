"""The handshake packet-number space (docs/wire-format.md §3.7, §6; RFC 9002 for loss and PTO).

Owns: numbers, acknowledgements, loss, probes and the ordered TLS bytes of handshake packets, both ways.
May not know: TLS, what the bytes mean, the application space, addresses and their limits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, cast

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.flight import Carried, Flight
from fastmux.protocol.handshake_packets import NOT_ELICITING, Frame, HandshakePackets
from fastmux.protocol.recovery import Recovery
from fastmux.protocol.retry import Retry
from fastmux.protocol.rtt import RttEstimator
from fastmux.records import LongHeader

PACKET_SIZE: Final = c.MIN_INITIAL_DATAGRAM_SIZE  # nothing larger is known to pass before the MTU search
_MAX_ACK_RANGES: Final = 32
_PING: Final = bytes((c.FRAME_PING,))


@dataclass(slots=True)
class Arrival:
    """What one authentic, new handshake packet brought. `data` are the TLS bytes that are now in order."""

    data: bytes = b""
    parameters: bytes | None = None
    path_responses: list[bytes] = field(default_factory=list)
    close: tuple[int, str] | None = None


class HandshakeSpace:
    """Handshake packets of one connection: what arrives in order goes up, what is written goes across.

    Invariant: every packet number in `_carried` was sent and is neither acknowledged nor lost; there are at
    most MAX_HANDSHAKE_UNACKED, and `_incoming` has at most MAX_HANDSHAKE_SPANS.
    """

    def __init__(self, packets: HandshakePackets, rtt: RttEstimator, *, is_client: bool) -> None:
        self.flight = Flight()
        self.packets = packets
        self._rtt = rtt
        self._is_client = is_client
        self._recovery = Recovery(rtt)
        self._sent = core.SentPackets()
        self._carried: dict[int, Carried] = {}
        self._received = core.ReceivedPackets()
        self._incoming = core.ReceiveStream()
        self._responses: list[bytes] = []
        self._is_ack_due = False
        self._probes_owed = 0
        self._last_active_at = 0.0

    @property
    def has_received(self) -> bool:
        """True once an authentic packet came."""
        return self._received.largest >= 0

    @property
    def held_size(self) -> int:
        """Bytes that came out of order, those that the peer must confirm, and records of both."""
        records = c.SPAN_CHARGE * self._incoming.span_count + c.PACKET_CHARGE * len(self._carried)
        return self._incoming.held_size + self.flight.held_size + records

    @property
    def has_pending(self) -> bool:
        """True if `fill` may have something to send."""
        return self._is_ack_due or (self._may_elicit and (self._probes_owed > 0 or self.flight.has_pending))

    @property
    def _may_elicit(self) -> bool:
        """False while the peer leaves so much unacknowledged that it must acknowledge something first."""
        return len(self._carried) < c.MAX_HANDSHAKE_UNACKED

    # --- receiving ----------------------------------------------------------------------------------

    def begin_again(self, retry: Retry) -> None:
        """Send the first flight again, to another id and with a token: somebody is there."""
        self.packets.redirect(*retry)
        self._recovery.pto_count = 0
        self._requeue()

    def receive(self, header: LongHeader, packet: bytes, now: float) -> Arrival | None:
        """Take a packet; None for one that is not authentic, not new, or over a limit of memory.

        Raises `ProtocolError`: HANDSHAKE_BUFFER_EXCEEDED, or PROTOCOL_VIOLATION for an ACK of what was not
        sent.
        """
        opened = self.packets.open(header, packet, self._received.largest)
        if opened is None or self._received.is_duplicate(opened.packet_number):
            return None
        if not self._has_room(opened.frames):
            return None
        eliciting = any(frame[0] not in NOT_ELICITING for frame in opened.frames)
        arrival = Arrival()
        for frame in opened.frames:
            self._apply(frame, arrival, now)
        self._received.add(opened.packet_number, now, eliciting)
        self._is_ack_due |= eliciting
        self._last_active_at = now
        arrival.data = self._incoming.read(c.MAX_HANDSHAKE_BUFFER) or b""
        return arrival

    def _has_room(self, frames: list[Frame]) -> bool:
        """False if TLS bytes are too far ahead of those in order, or leave too many gaps: it is as if lost.

        Frames that may begin a span are counted as if they did: a peer has few of them in a packet.
        """
        spans = self._incoming.span_count
        for frame in frames:
            match frame:
                case (c.FRAME_HANDSHAKE, int() as offset, bytes() as data):
                    stop = offset + len(data)
                    if stop > c.MAX_HANDSHAKE_BUFFER:
                        raise ProtocolError(
                            c.HANDSHAKE_BUFFER_EXCEEDED,
                            f"handshake bytes beyond {c.MAX_HANDSHAKE_BUFFER}",
                        )
                    if stop > self._incoming.consumed + c.MAX_HANDSHAKE_BUFFER_AFTER:
                        return False
                    spans += offset > self._incoming.consumed
        return spans <= c.MAX_HANDSHAKE_SPANS

    def _apply(self, frame: Frame, arrival: Arrival, now: float) -> None:
        match frame:
            case (c.FRAME_ACK, float() as ack_delay, tuple() as ranges):
                self._acknowledge(cast("tuple[tuple[int, int], ...]", ranges), ack_delay, now)
            case (c.FRAME_HANDSHAKE, int() as offset, bytes() as data):
                self._incoming.receive(offset, data)
            case (c.FRAME_PARAMETERS, bytes() as blob):
                arrival.parameters = blob
            case (c.FRAME_PATH_CHALLENGE, bytes() as challenge):
                self._respond(challenge)
            case (c.FRAME_PATH_RESPONSE, bytes() as response):
                arrival.path_responses.append(response)
            case (c.FRAME_CONNECTION_CLOSE, int() as code, bytes() as reason):
                arrival.close = (code, reason.decode(errors="replace"))

    def _respond(self, challenge: bytes) -> None:
        """Answer a PATH_CHALLENGE; only the newest few are kept (H19)."""
        response = core.encode_frame((c.FRAME_PATH_RESPONSE, challenge))
        if response in self._responses:
            return
        self._responses.append(response)
        self.flight.add_frame(response)
        if len(self._responses) > c.MAX_PATH_CHALLENGES:
            self.flight.remove_frame(self._responses.pop(0))

    def _acknowledge(self, ranges: tuple[tuple[int, int], ...], ack_delay: float, now: float) -> None:
        """A probe that carried nothing ends no back-off: a peer that waits would be probed all the time.

        RFC 9002 §6.2.1 says so of a client whose address may not be validated yet.
        """
        is_progress = False
        for number in self._sent.acknowledge(ranges, ack_delay, now):
            carried = self._carried.pop(number, None)
            if carried is not None:
                self.flight.on_acked(carried)
                is_progress |= any(carried)
        self._find_losses(now, is_progress)

    def _find_losses(self, now: float, is_progress: bool = False) -> None:
        summary = self._sent.take_summary()
        if summary is not None:
            # Handshake packets are acknowledged at once. One that says it waited repeats an ACK that was
            # lost: what it measures is the loss, not the path.
            if summary.latest_rtt is not None and 2 * summary.ack_delay > summary.latest_rtt:
                summary = summary._replace(latest_rtt=None)
            self._recovery.on_summary(summary, now, is_progress=is_progress)
        for number in self._sent.detect_losses(self._rtt.loss_delay, now):
            carried = self._carried.pop(number, None)
            if carried is not None:
                self.flight.on_lost(carried)

    # --- sending ------------------------------------------------------------------------------------

    def waive_ack(self) -> None:
        """No ACK is due for what came: the peer hears better than by an ACK that it arrived."""
        self._is_ack_due = False

    def fill(self, buffer: bytearray | memoryview, limit: int, now: float) -> int:
        """Fill a train and return its size; all packets but the last have PACKET_SIZE bytes, a client's all.

        `limit` bounds the whole in bytes: what the anti-amplification limit leaves. A packet goes only if
        PACKET_SIZE bytes may.
        """
        limit = min(limit, len(buffer), c.MAX_TRAIN_SIZE)
        size = 0
        while size + PACKET_SIZE <= limit and self.has_pending:
            packet = self._next_packet(now)
            if packet is None:
                break
            buffer[size : size + len(packet)] = packet
            size += len(packet)
            if len(packet) < PACKET_SIZE:
                break
        return size

    def last_packets(self, close: bytes, limit: int, now: float) -> list[bytes]:
        """Give everything that the peer may lack (an alert, most of all), with the frame `close` each.

        At most `limit` bytes. These are the last packets of this space: they are sent again as they are.
        """
        self._requeue()
        self._carried.clear()  # nothing is sent again from now on, so they need no records
        packets: list[bytes] = []
        while limit >= PACKET_SIZE and len(packets) < c.MAX_TRAIN_SEGMENTS:
            packet = self._next_packet(now, close)
            packets.append(packet or self._seal(close, None, now))
            limit -= len(packets[-1])
            if not self.flight.has_pending:
                break
        return packets

    def _next_packet(self, now: float, extra: bytes = b"") -> bytes | None:
        ack = self._ack_frame(now)
        room = PACKET_SIZE - self.packets.overhead - len(ack) - len(extra)
        taken = None
        if self._may_elicit:
            taken = self.flight.take(room)
            if taken is None and self._probes_owed:  # the second probe carries what the first did
                self._requeue()
                taken = self.flight.take(room) or (_PING, Carried((), ()))
        if taken is not None:
            return self._seal(ack + taken[0] + extra, taken[1], now)
        if self._is_ack_due:
            return self._seal(ack + extra, None, now)
        return None

    def _seal(self, payload: bytes, carried: Carried | None, now: float) -> bytes:
        """Make a packet; `carried` is None for one that elicits no acknowledgement."""
        room = PACKET_SIZE - self.packets.overhead
        if self._is_client or self.flight.has_pending:  # else the next one would not line up in the train
            payload += bytes(room - len(payload))
        eliciting = carried is not None
        number = self._sent.add(
            len(payload) + self.packets.overhead, now, ack_eliciting=eliciting, in_flight=eliciting
        )
        if carried is not None:
            self._carried[number] = carried
            self._probes_owed = max(self._probes_owed - 1, 0)
        self._is_ack_due = False
        self._last_active_at = now
        return self.packets.seal(number, payload)

    def _ack_frame(self, now: float) -> bytes:
        ranges = self._received.ack_ranges(_MAX_ACK_RANGES)
        if not ranges:
            return b""
        delay = max(0.0, now - self._received.largest_at)
        return core.encode_frame((c.FRAME_ACK, delay, tuple(ranges)))

    # --- time ---------------------------------------------------------------------------------------

    def deadline(self, can_send: bool) -> float | None:
        """When to call `handle_timeout`. `can_send` is False while the path may not be sent more.

        A client has a probe coming even with nothing in flight (RFC 9002 §6.2.2.1): what it sends may be all
        that lets the server go on.
        """
        if self._sent.loss_at is not None:
            return self._sent.loss_at
        if not can_send:
            return None
        eliciting_at = self._sent.last_eliciting_sent_at
        if eliciting_at is None and self._is_client:
            eliciting_at = self._last_active_at
        return self._recovery.probe_at(eliciting_at, 0.0)

    def handle_timeout(self, now: float, can_send: bool) -> None:
        """Declare losses, or send everything outstanding again, in two packets at the least."""
        loss_at = self._sent.loss_at
        if loss_at is not None:
            if loss_at <= now:
                self._find_losses(now)
            return
        probe_at = self.deadline(can_send)
        if probe_at is not None and probe_at <= now:
            self._probes_owed = self._recovery.on_probe_timeout(now)
            self._requeue()

    def pto(self) -> float:
        """The probe timeout of this space without back-off, seconds."""
        return self._rtt.pto(0.0)

    def _requeue(self) -> None:
        """Send again what is in flight; it is small. The records stay, so that a late ACK still counts."""
        for carried in self._carried.values():
            self.flight.on_lost(carried)
