"""When an ACK is due (RFC 9000 §13.2, draft-ietf-quic-ack-frequency §6).

Owns: the numbers received and the time of the next ACK. May not know: frames, packets.
"""

from __future__ import annotations

from fastmux._core_py.received_packets import ReceivedPackets
from fastmux.constants import ACK_ELICITING_THRESHOLD


# Invariant: `due_at` is None exactly when no ack-eliciting packet came since the last ACK was sent.
class AckPolicy:
    """At once after more than `threshold` ack-eliciting packets (by trains), or for a gap; else delayed.

    With a `reordering_threshold` of 0 no gap hurries an ACK, with 1 any packet out of order does, with more
    one that many numbers below the largest: then this ACK lets the peer declare what is missing lost.
    """

    __slots__ = (
        "_eliciting",
        "_largest_sent",
        "_out_of_order",
        "due_at",
        "is_due_now",
        "max_ack_delay",
        "received",
        "reordering_threshold",
        "threshold",
    )

    def __init__(self, max_ack_delay: float) -> None:
        self.received = ReceivedPackets()
        self.threshold = ACK_ELICITING_THRESHOLD - 1
        self.max_ack_delay = max_ack_delay
        self.reordering_threshold = 1
        self.due_at: float | None = None
        self.is_due_now = False
        self._eliciting = 0
        self._out_of_order = False
        self._largest_sent = -1  # the largest number in an ACK that was sent

    def on_packet(self, packet_number: int, now: float, ack_eliciting: bool) -> None:
        """A new packet was applied."""
        if ack_eliciting:
            self._eliciting += 1
            if packet_number != self.received.largest + 1:
                self._out_of_order = True
        self.received.add(packet_number, now, ack_eliciting)

    def on_train(self, now: float) -> None:
        """All packets of a train were applied."""
        if not self._eliciting:
            return
        if self._eliciting > self.threshold or self._tells_of_a_gap():
            self.due_at = now
            self.is_due_now = True
        elif self.due_at is None:
            self.due_at = now + self.max_ack_delay

    def is_due(self, now: float) -> bool:
        """True if an ACK must go now."""
        return self.due_at is not None and (self.is_due_now or self.due_at <= now)

    def on_sent(self) -> None:
        """An ACK of everything received goes out."""
        self.due_at = None
        self.is_due_now = self._out_of_order = False
        self._eliciting = 0
        self._largest_sent = self.received.largest

    def _tells_of_a_gap(self) -> bool:
        """True if an ACK now says of a missing packet what no ACK has said yet (§6.2 of the draft)."""
        distance = self.reordering_threshold
        if distance <= 1:
            return distance == 1 and self._out_of_order
        missing = self.received._first_missing(max(self._largest_sent - distance + 1, 0))
        return self.received.largest - missing >= distance
