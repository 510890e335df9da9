"""How much may be sent when: loss recovery, congestion, pacing and path MTU over one data path.

Owns: the composition of these policies, once a batch or train. May not know: handshake, channels, events,
closing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.ack_frequency import LITTLE, AckFrequency, AckRequests, suitable
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.congestion.choice import make_controller
from fastmux.protocol.events import max_train_size
from fastmux.protocol.mtu_discovery import MtuDiscovery
from fastmux.protocol.pacer import Pacer
from fastmux.protocol.parameters import Parameters, min_ack_delay_of
from fastmux.protocol.path_state import PathState
from fastmux.protocol.recovery import PROBES_PER_TIMEOUT, Recovery
from fastmux.protocol.rtt import RttEstimator
from fastmux.records import AckSummary

_JUMBO_PROBE_SHARE: Final = 4  # of the window may go to a probe beside data


class Traffic:
    """Feeds what the core reports to the policies and lets the core fill trains as they allow.

    Invariant: bytes in flight stay within the congestion window, probes and the packets of `build` apart.
    """

    __slots__ = (
        "_ack_frequency",
        "_configuration",
        "_data_path",
        "_flight",
        "_is_paced",
        "_largest_datagram",
        "_pacer",
        "_probes_owed",
        "_ran_out",
        "_random_bytes",
        "_room_of",
        "_room_segment",
        "_room_view",
        "_skip_at",
        "ack_requests",
        "congestion",
        "eliciting_sent_at",
        "mtu",
        "recovery",
        "rtt",
        "sent_packets",
    )

    def __init__(
        self,
        data_path: core.DataPath,
        rtt: RttEstimator,
        configuration: Configuration,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.rtt = rtt
        self.recovery = Recovery(rtt)
        self.congestion = make_controller(configuration.congestion, c.BASE_PLPMTU, random_bytes)
        self.mtu = MtuDiscovery(c.BASE_PLPMTU, c.BASE_PLPMTU)  # no search before the parameters are known
        self.ack_requests = AckRequests(data_path, min_ack_delay_of(configuration))
        self._ack_frequency = AckFrequency(None, c.MAX_ACK_DELAY)  # nothing is asked before, either
        self._largest_datagram = c.BASE_PLPMTU
        self._flight = 0  # bytes that were lately on the way at once
        self.sent_packets = 0
        self.eliciting_sent_at = float("-inf")  # when something ack-eliciting was last sent
        self._data_path = data_path
        self._configuration = configuration
        self._random_bytes = random_bytes
        self._pacer = Pacer()
        self._is_paced = False
        self._probes_owed = 0
        self._ran_out = False  # with the data, the last fill used up what it was allowed
        self._skip_at = self._next_skip()
        self._room_view = memoryview(b"")
        self._room_of: bytearray | memoryview | None = None
        self._room_segment = 0

    def on_keys(self) -> None:
        """The data path got its keys; it may send."""
        self._data_path.set_loss_delay(self.rtt.loss_delay)  # the handshake may have measured it

    def on_confirmed(self, peer: Parameters) -> None:
        """The handshake is confirmed: the peer's delays hold, and larger datagrams may be tried."""
        self.recovery.handshake_confirmed = True
        self.rtt.restart_min_rtt()  # the samples of the handshake hold the time of its cryptography
        self.recovery.max_ack_delay = peer.max_ack_delay
        self._ack_frequency = AckFrequency(peer.min_ack_delay, peer.max_ack_delay)
        self._largest_datagram = min(self._configuration.max_datagram_size, peer.max_datagram_size)
        self.mtu = MtuDiscovery(c.BASE_PLPMTU, self._largest_datagram)

    def change_path(self, known: PathState | None) -> PathState:
        """Go on with what is `known` of another path, or with nothing; gives what is known of this one.

        Packets on their way say nothing of the new path (RFC 9000 §9.4); two probes measure it.
        """
        left = PathState(self.rtt, self.recovery, self.congestion, self.mtu, self._pacer)
        self.rtt, self.recovery, self.congestion, self.mtu, self._pacer = known or self._new_path()
        self.recovery.max_ack_delay = left.recovery.max_ack_delay
        self.probe()  # first: afterwards nothing counts as in flight
        self._data_path.leave_path()
        self._data_path.set_loss_delay(self.rtt.loss_delay)
        self._flight = 0
        return left

    def probe(self) -> None:
        """Send two probes as soon as anything may go, to learn what has arrived."""
        self._data_path.probe(PROBES_PER_TIMEOUT)
        self._probes_owed = PROBES_PER_TIMEOUT

    def _new_path(self) -> PathState:
        rtt = RttEstimator(self._configuration.initial_rtt)
        recovery = Recovery(rtt)
        recovery.handshake_confirmed = True
        congestion = make_controller(self._configuration.congestion, c.BASE_PLPMTU, self._random_bytes)
        return PathState(rtt, recovery, congestion, MtuDiscovery(maximum=self._largest_datagram), Pacer())

    def pto(self) -> float:
        """The probe timeout without back-off, seconds, at most MAX_PTO."""
        return min(self.rtt.pto(self.recovery.max_ack_delay), c.MAX_PTO)

    # --- once a batch ---------------------------------------------------------------------------------

    def on_batch(self, now: float, summary: AckSummary | None = None) -> None:
        """Take what ACK frames and loss scans came to since the last call (`summary`, if it was taken)."""
        summary = summary or self._data_path.take_ack_summary()
        if self.recovery.pto_count:
            self.recovery.on_heard(self._data_path.last_received_at)
        if summary is None:
            return
        flight = self._flight * 7 // 8
        self._flight = flight if flight > summary.prior_in_flight else summary.prior_in_flight
        self.recovery.on_summary(summary, now)
        self._data_path.set_loss_delay(self.rtt.loss_delay)
        self.congestion.on_summary(summary, self.rtt, now)
        if summary.lost_packets and self.recovery.is_persistent_congestion(summary):
            self.congestion.on_persistent_congestion(now)
        mtu = self.mtu
        before = mtu.current
        mtu.on_summary(summary, now)
        if mtu.current != before:
            self._follow_mtu(before)

    def on_mtu_report(self, size: int, is_acked: bool, now: float) -> None:
        """The MTU probe of `size` bytes was acknowledged or lost."""
        before = self.mtu.current
        if is_acked:
            self.mtu.on_probe_acked(size, now)
        else:
            self.mtu.on_probe_lost(size, now)
        self._follow_mtu(before)

    def _follow_mtu(self, before: int) -> None:
        if self.mtu.current != before:
            self.congestion.set_max_datagram_size(self.mtu.current)

    # --- how often the peer acknowledges ---------------------------------------------------------------

    def ask_for_acks(self, sequence: int, now: float) -> bytes | None:
        """Give the ACK_FREQUENCY frame with this number, which must then be sent; None if none is needed."""
        if self._flight < LITTLE * self.mtu.current and self._ack_frequency.is_at_rest:
            return None
        flight = min(self._flight, self.congestion.congestion_window)
        wanted = suitable(flight, self.mtu.current, self.rtt.smoothed_rtt)
        request = self._ack_frequency.next_request(wanted, now)
        if request is None:
            return None
        self._ack_frequency.on_sent(sequence, request)
        self.recovery.max_ack_delay = self._ack_frequency.max_ack_delay
        delay_us = round(request.max_ack_delay * 1e6)
        fields = (sequence, request.threshold, delay_us, request.reordering_threshold)
        return core.encode_frame((c.FRAME_ACK_FREQUENCY, *fields))

    def on_ack_request_report(self, sequence: int, is_acked: bool) -> None:
        """The ACK_FREQUENCY frame with this number was acknowledged or lost."""
        if is_acked:
            self._ack_frequency.on_acked(sequence)
        else:
            self._ack_frequency.on_lost(sequence)
        self.recovery.max_ack_delay = self._ack_frequency.max_ack_delay

    def hurry_ack(self) -> None:
        """Have the next packets acknowledged at once, as if the defaults held (RFC 9002 §6.2.4)."""
        for _ in range(self._ack_frequency.gap):
            self._data_path.skip_packet_number()

    # --- sending ------------------------------------------------------------------------------------

    def fill(self, buffer: bytearray | memoryview, now: float) -> int:
        """Fill trains side by side; return their size. Datagrams are `mtu.current` bytes but for the last."""
        data_path = self._data_path
        if self.sent_packets >= self._skip_at:
            data_path.skip_packet_number()
            self._skip_at = self._next_skip()
        in_flight = data_path.bytes_in_flight
        has_pending = data_path.has_pending
        if has_pending:
            self._ran_out = False
        may_send = has_pending or self._probes_owed or self._ran_out
        limit = self._size_limit(in_flight, now) if may_send else 0
        segment_size = self.mtu.current
        is_known = self._room_of is buffer and self._room_segment == segment_size
        room = self._room_view if is_known else self._room(buffer)
        size, segments = data_path.fill(room, segment_size, limit, now)
        self.sent_packets += segments
        if limit:
            # Data and allowance may end together; then the core cannot see what limited the flow. If there is
            # no data when something may go again, it was the application: the next fill tells the core so by
            # allowing something.
            self._ran_out = limit - size < segment_size and not data_path.has_pending
        sent = data_path.bytes_in_flight - in_flight
        if sent > 0:
            self._probes_owed = 0
            self.eliciting_sent_at = now
            if self._is_paced:
                self._pacer.on_sent(sent, now)
        return size

    def build(self, buffer: bytearray | memoryview, payload: bytes, size: int, token: int, now: float) -> int:
        """Build one packet of the given frames, padded to `size` (0: not), outside window and pace."""
        self.sent_packets += 1
        self.eliciting_sent_at = now
        return self._data_path.build_packet(buffer, payload, size, token, now)

    def next_mtu_probe(self, now: float) -> int | None:
        """Give the size of a probe that must then be built, None if there is none to send now."""
        if now < self.mtu.due_at or not self.has_room:
            return None
        return self.mtu.next_probe(now, self._probe_room())

    def _probe_room(self) -> int:
        """How large an MTU probe may be: a jumbo one leaves room for a datagram, and most to waiting data."""
        window = self.congestion.congestion_window
        room = window - self._data_path.bytes_in_flight - self.mtu.current
        if self._data_path.has_pending:
            room = min(room, window // _JUMBO_PROBE_SHARE)
        return max(room, c.MAX_PLPMTU)

    @property
    def has_room(self) -> bool:
        """True if a datagram fits into the window, or a probe is owed."""
        return self._probes_owed > 0 or self._has_room(self._data_path.bytes_in_flight)

    def _has_room(self, in_flight: int) -> bool:
        """True if a datagram fits into the window: one cut to the rest would cost as much as a whole one."""
        return self.congestion.congestion_window - in_flight >= self.mtu.current

    def _size_limit(self, in_flight: int, now: float) -> int:
        segment_size = self.mtu.current
        congestion = self.congestion
        if not in_flight:
            congestion.on_restart(now)
        window = congestion.congestion_window
        room = window - in_flight
        if self._probes_owed:
            return max(room, self._probes_owed * segment_size)
        if room < segment_size:
            return 0
        self._is_paced = congestion.paces_short_round_trips or self.rtt.smoothed_rtt >= c.K_GRANULARITY
        if not self._is_paced:  # within the time of the shortest timer the pacer lets a whole window go
            return room
        rate = congestion.pacing_rate(self.rtt)
        return min(room, self._pacer.budget(now, rate, window, segment_size))

    def _room(self, buffer: bytearray | memoryview) -> memoryview:
        """The part of the buffer that is a whole number of trains; kept, as it is the same each time."""
        segment_size = self.mtu.current
        train_size = max_train_size(segment_size)
        self._room_view = memoryview(buffer)[: max(len(buffer) // train_size, 1) * train_size]
        self._room_of = buffer
        self._room_segment = segment_size
        return self._room_view

    def _next_skip(self) -> int:
        distance = int.from_bytes(self._random_bytes(2), "big")
        return self.sent_packets + c.MIN_SKIP_INTERVAL + distance

    # --- time ---------------------------------------------------------------------------------------

    def deadline(self, *, probes_mtu: bool = True) -> float | None:
        """When to call `handle_timeout`, or to transmit."""
        data_path = self._data_path
        ack_at, loss_at, eliciting_at, expiry_at = data_path.deadlines()
        if loss_at is None:
            loss_at = self.recovery.probe_at(eliciting_at, self.recovery.max_ack_delay)
        at = earlier(earlier(ack_at, loss_at), expiry_at)
        if self._has_room(data_path.bytes_in_flight):  # without it an ACK must come first
            if probes_mtu:
                at = earlier(at, self.mtu.deadline)
            if self._is_paced and data_path.has_pending:
                at = earlier(at, self._pacer.next_at)
        return at

    def handle_timeout(self, now: float) -> bool:
        """Find losses, give up what expired, or probe. True if a PTO fired."""
        data_path = self._data_path
        _, loss_at, eliciting_at, expiry_at = data_path.deadlines()
        if expiry_at is not None and expiry_at <= now:
            data_path.expire(now)
        if loss_at is not None:
            if loss_at <= now:
                data_path.detect_losses(now)
                self.on_batch(now)
            return False
        probe_at = self.recovery.probe_at(eliciting_at, self.recovery.max_ack_delay)
        if probe_at is None or now < probe_at:
            return False
        self._probes_owed = self.recovery.on_probe_timeout(now)
        data_path.probe(self._probes_owed)
        self.hurry_ack()
        before = self.mtu.current
        self.mtu.on_probe_timeout(self.recovery.pto_count, now)
        self._follow_mtu(before)
        return True


def earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two times, of which either may be never."""
    if one is None or (other is not None and other < one):
        return other
    return one
