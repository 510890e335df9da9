"""The ledger of sent packets (RFC 9002 A.1): acknowledgement, loss, bytes in flight, delivery rate.

Owns: what is known of each packet in flight. May not know: what was in a packet, when to probe, windows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from operator import index
from typing import NamedTuple, final

from fastmux._core_py._arguments import Uncopied, integer, seconds
from fastmux._core_py.range_set import RangeSet
from fastmux.constants import (
    K_PACKET_THRESHOLD,
    LOSS_THRESHOLD_PERCENT,
    MAX_SKIPPED_NUMBERS,
    PROTOCOL_VIOLATION,
)
from fastmux.exceptions import ProtocolError
from fastmux.records import AckSummary


class _Sent(NamedTuple):
    """One packet, and the connection's delivery state when it was sent (draft-ietf-ccwg-bbr §4.1.1)."""

    size: int
    sent_at: float
    ack_eliciting: bool
    in_flight: bool
    is_probe: bool  # in flight, but in neither the acknowledged nor the lost size
    ordinal: int  # counts the packets kept: neighbours differ by one, whatever numbers lie between
    delivered: int
    delivered_at: float
    first_sent_at: float
    lost: int
    tx_in_flight: int  # itself included
    is_app_limited: bool


class _Summary:
    """What goes into the next AckSummary."""

    __slots__ = (
        "ack_delay",
        "acked_packets",
        "acked_size",
        "delivery_rate",
        "inflight_at_excess",
        "is_app_limited",
        "is_excess_app_limited",
        "largest_lost_sent_at",
        "latest_rtt",
        "lost_packets",
        "lost_runs",
        "lost_size",
        "lost_span",
        "max_acked_size",
        "max_lost_size",
        "newest",
        "prior_in_flight",
    )

    def __init__(self, prior_in_flight: int) -> None:
        self.acked_size = self.acked_packets = self.lost_size = self.lost_packets = self.lost_runs = 0
        self.largest_lost_sent_at: float | None = None
        self.latest_rtt: float | None = None
        self.ack_delay = self.lost_span = 0.0
        self.prior_in_flight = prior_in_flight
        self.max_acked_size = self.max_lost_size = 0
        self.delivery_rate: float | None = None
        self.is_app_limited = self.is_excess_app_limited = False
        self.newest: _Sent | None = None  # the packet of the rate sample
        self.inflight_at_excess: float | None = None


# Invariant: `_packets` holds exactly the numbers in `_outstanding`: sent and kept, neither acknowledged nor
# lost, in the order sent. The sums over them of in-flight sizes and of ack-eliciting packets in flight are
# `_bytes_in_flight` and `_eliciting_count`.
@final
class SentPackets(Uncopied):
    """The ledger of one packet-number space.

    A packet that is neither ack-eliciting nor in flight (a bare ACK) takes a number and is not kept: nobody
    must acknowledge it, so a ledger of such packets could grow for ever.
    """

    __slots__ = (
        "_app_limited",
        "_bytes_in_flight",
        "_delivered",
        "_delivered_at",
        "_eliciting_count",
        "_first",
        "_first_sent_at",
        "_largest_acked",
        "_largest_acked_sent_at",
        "_largest_lost",
        "_last_eliciting_sent_at",
        "_loss_at",
        "_lost",
        "_next",
        "_ordinal",
        "_outstanding",
        "_packets",
        "_skipped",
        "_summary",
    )

    def __init__(self) -> None:
        self._packets: dict[int, _Sent] = {}
        self._outstanding = RangeSet()
        self._skipped: deque[int] = deque(maxlen=MAX_SKIPPED_NUMBERS)
        self._first = self._next = self._ordinal = 0
        self._largest_acked = self._largest_lost = -1
        self._bytes_in_flight = self._eliciting_count = 0
        self._last_eliciting_sent_at = self._largest_acked_sent_at = 0.0
        self._loss_at: float | None = None
        self._delivered = self._lost = 0
        self._delivered_at = self._first_sent_at = 0.0
        self._app_limited = 0
        self._summary: _Summary | None = None

    def add(self, size: int, now: float, ack_eliciting: bool = True, in_flight: bool = True) -> int:
        """Gives the next number to a packet of `size` bytes sent at `now`, and returns it."""
        return self._add(integer(size), seconds("now", now), bool(ack_eliciting), bool(in_flight))

    def skip(self) -> int:
        """Leaves a number out and returns it: who acknowledges it has not seen what it acknowledges."""
        number = self._next
        self._skipped.append(number)
        self._next = number + 1
        return number

    def acknowledge(self, ranges: Sequence[tuple[int, int]], ack_delay: float, now: float) -> list[int]:
        """The newly acknowledged numbers, ascending; O(ranges + newly acknowledged).

        ProtocolError(PROTOCOL_VIOLATION) for a number never sent or skipped; nothing changes then.
        """
        delay, at = seconds("ack_delay", ack_delay), seconds("now", now)
        if not ranges:
            raise ValueError("no ranges")
        acked = sorted((index(start), index(stop)) for start, stop in ranges)
        self._check(acked)
        newly: list[int] = []
        for start, stop in acked:
            for first, last in self._outstanding._overlaps(start, stop):
                newly.extend(range(first, last))
                self._outstanding._cut(first, last)
        largest = max(stop for _, stop in acked) - 1
        self._largest_acked = max(self._largest_acked, largest)
        if newly:
            self._on_acknowledged(newly, largest, delay, at)
        return newly

    def detect_losses(self, loss_delay: float, now: float) -> list[int]:
        """The numbers now lost, ascending (RFC 9002 §6.1); sets `loss_at` for the next one."""
        loss_delay, now = seconds("loss_delay", loss_delay), seconds("now", now)
        lost: list[int] = []
        self._loss_at = None
        for start, stop in self._outstanding:
            for number in range(start, min(stop, self._largest_acked)):
                due_at = self._packets[number].sent_at + loss_delay
                if number > self._largest_acked - K_PACKET_THRESHOLD and due_at > now:
                    self._loss_at = due_at
                    break
                lost.append(number)
            if self._loss_at is not None or stop > self._largest_acked:
                break
        if lost:
            self._on_lost(lost)
        return lost

    @property
    def _untaken_rtt(self) -> float | None:
        """The newest sample, None if the last summary taken had it."""
        return None if self._summary is None else self._summary.latest_rtt

    def take_summary(self) -> AckSummary | None:
        """What was newly acknowledged or lost since the last call; None if nothing was."""
        news = self._summary
        if news is None:
            return None
        self._summary = None
        newest = news.newest
        return AckSummary(
            news.acked_size,
            news.acked_packets,
            news.lost_size,
            news.lost_packets,
            self._largest_acked,
            self._largest_acked_sent_at,
            news.largest_lost_sent_at,
            news.latest_rtt,
            news.ack_delay,
            news.lost_span,
            news.prior_in_flight,
            self._bytes_in_flight,
            news.max_acked_size,
            news.max_lost_size,
            self._delivered,
            news.delivery_rate,
            news.is_app_limited,
            newest.delivered if newest else 0,
            newest.tx_in_flight if newest else 0,
            self._lost - newest.lost if newest else 0,
            news.lost_runs,
            news.inflight_at_excess,
            news.is_excess_app_limited,
        )

    def set_app_limited(self) -> None:
        """The application has nothing to send: samples until all in flight is delivered are low for it."""
        self._app_limited = (self._delivered + self._bytes_in_flight) or 1

    @property
    def next_packet_number(self) -> int:
        """The number that the next packet gets."""
        return self._next

    @property
    def largest_acked(self) -> int:
        """The largest number acknowledged, -1 before any."""
        return self._largest_acked

    @property
    def largest_lost(self) -> int:
        """The largest number declared lost, -1 before any."""
        return self._largest_lost

    @property
    def bytes_in_flight(self) -> int:
        """Bytes of the packets in flight."""
        return self._bytes_in_flight

    @property
    def loss_at(self) -> float | None:
        """When the next packet is lost by time, as of the last `detect_losses`."""
        return self._loss_at

    @property
    def last_eliciting_sent_at(self) -> float | None:
        """When the newest ack-eliciting packet was sent; None with none in flight (RFC 9002 A.3)."""
        return self._last_eliciting_sent_at if self._eliciting_count else None

    def __len__(self) -> int:
        return len(self._packets)

    # --- for the core -----------------------------------------------------------------------------

    def _start_at(self, number: int) -> None:
        """The first packet gets this number."""
        self._first = self._next = number

    def _add(
        self, size: int, now: float, ack_eliciting: bool, in_flight: bool, is_probe: bool = False
    ) -> int:
        number = self._next
        self._next = number + 1
        if not ack_eliciting and not in_flight:
            return number
        if in_flight:
            if self._bytes_in_flight == 0:
                self._first_sent_at = self._delivered_at = now
            self._bytes_in_flight += size
            if ack_eliciting:
                self._eliciting_count += 1
                self._last_eliciting_sent_at = now
        self._packets[number] = _Sent(
            size,
            now,
            ack_eliciting,
            in_flight,
            is_probe,
            self._ordinal,
            self._delivered,
            self._delivered_at,
            self._first_sent_at,
            self._lost,
            self._bytes_in_flight,
            self._app_limited != 0,
        )
        self._ordinal += 1
        self._outstanding._insert(number, number + 1)
        return number

    def _leave_path(self) -> None:
        """What was sent so far is in flight no more: it was on another path (RFC 9000 §9.4)."""
        for number, packet in self._packets.items():
            self._packets[number] = packet._replace(ack_eliciting=False, in_flight=False)
        self._bytes_in_flight = self._eliciting_count = self._app_limited = 0
        self._summary = None

    def _check(self, ranges: Sequence[tuple[int, int]]) -> None:
        """ProtocolError for a number that was never sent."""
        for start, stop in ranges:
            if not 0 <= start < stop:
                raise ValueError("an empty range")
            if stop > self._next or start < self._first:
                raise ProtocolError(PROTOCOL_VIOLATION, "ACK of a packet never sent")
            if any(start <= number < stop for number in self._skipped):
                raise ProtocolError(PROTOCOL_VIOLATION, "ACK of a skipped packet number")

    def _oldest_eliciting(self, count: int) -> list[int]:
        """The `count` oldest ack-eliciting packets in flight."""
        found: list[int] = []
        for start, stop in self._outstanding:
            for number in range(start, stop):
                if len(found) == count:
                    return found
                packet = self._packets[number]
                if packet.ack_eliciting and packet.in_flight:
                    found.append(number)
        return found

    def _news(self) -> _Summary:
        if self._summary is None:
            self._summary = _Summary(self._bytes_in_flight)
        return self._summary

    def _forget(self, number: int) -> _Sent:
        packet = self._packets.pop(number)
        if packet.in_flight:
            self._bytes_in_flight -= packet.size
            self._eliciting_count -= packet.ack_eliciting
        return packet

    def _on_acknowledged(self, newly: list[int], largest: int, ack_delay: float, now: float) -> None:
        news = self._news()
        eliciting = False
        newest: _Sent | None = None
        for number in newly:
            packet = self._forget(number)
            eliciting = eliciting or packet.ack_eliciting
            if not packet.in_flight:
                continue
            newest = packet
            self._delivered += packet.size
            if not packet.is_probe:
                news.acked_size += packet.size
                news.acked_packets += 1
                news.max_acked_size = max(news.max_acked_size, packet.size)
        self._largest_acked_sent_at = max(self._largest_acked_sent_at, packet.sent_at)
        if newly[-1] == largest and eliciting:  # RFC 9002 §5.1
            news.latest_rtt = now - packet.sent_at
            news.ack_delay = ack_delay
        if newest is not None:
            self._sample_rate(news, newest, now)

    def _sample_rate(self, news: _Summary, newest: _Sent, now: float) -> None:
        """The delivery rate over the flight of the newest packet acknowledged."""
        self._delivered_at = now
        self._first_sent_at = newest.sent_at
        news.newest = newest
        news.is_app_limited = newest.is_app_limited
        if self._app_limited and self._delivered > self._app_limited:
            self._app_limited = 0
        interval = max(newest.sent_at - newest.first_sent_at, now - newest.delivered_at)
        if interval > 0:
            news.delivery_rate = (self._delivered - newest.delivered) / interval

    def _on_lost(self, lost: list[int]) -> None:
        news = self._news()
        self._largest_lost = max(self._largest_lost, lost[-1])
        run_start: float | None = None  # when the run's first ack-eliciting packet was sent
        previous = -2
        for number in lost:
            self._outstanding._cut(number, number + 1)
            packet = self._forget(number)
            if packet.ordinal != previous + 1:
                run_start = None
                news.lost_runs += 1
            previous = packet.ordinal
            if packet.ack_eliciting:
                run_start = packet.sent_at if run_start is None else run_start
                news.lost_span = max(news.lost_span, packet.sent_at - run_start)
            if packet.in_flight and not packet.is_probe:
                news.lost_size += packet.size
                news.lost_packets += 1
                news.max_lost_size = max(news.max_lost_size, packet.size)
                news.largest_lost_sent_at = max(news.largest_lost_sent_at or 0.0, packet.sent_at)
                self._lost += packet.size
                if news.inflight_at_excess is None:
                    self._check_excess(news, packet)

    def _check_excess(self, news: _Summary, packet: _Sent) -> None:
        """Where in the flight up to this lost packet losses passed the threshold, if they did.

        draft-ietf-ccwg-bbr §5.5.10.2, InflightAtLoss.
        """
        lost = self._lost - packet.lost
        if 100 * lost <= LOSS_THRESHOLD_PERCENT * packet.tx_in_flight:
            return
        before, lost_before = packet.tx_in_flight - packet.size, lost - packet.size
        prefix = (LOSS_THRESHOLD_PERCENT * before - 100 * lost_before) / (100 - LOSS_THRESHOLD_PERCENT)
        news.inflight_at_excess = before + prefix
        news.is_excess_app_limited = packet.is_app_limited
