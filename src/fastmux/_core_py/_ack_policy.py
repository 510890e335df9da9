"""When an ACK is due (RFC 9000 §13.2).

Owns: the numbers received and the time of the next ACK. May not know: frames, packets.
"""

from __future__ import annotations

from fastmux._core_py.received_packets import ReceivedPackets
from fastmux.constants import ACK_ELICITING_THRESHOLD


# Invariant: `due_at` is None exactly when no ack-eliciting packet came since the last ACK was sent.
class AckPolicy:
    """At once after two ack-eliciting packets, counted by trains, or one out of order; else delayed."""

    __slots__ = ("_eliciting", "_out_of_order", "due_at", "is_due_now", "max_ack_delay", "received")

    def __init__(self, max_ack_delay: float) -> None:
        self.received = ReceivedPackets()
        self.max_ack_delay = max_ack_delay
        self.due_at: float | None = None
        self.is_due_now = False
        self._eliciting = 0
        self._out_of_order = False

    def on_packet(self, packet_number: int, now: float, ack_eliciting: bool) -> None:
        """A new packet was applied."""
        if ack_eliciting:
            self._eliciting += 1
            if packet_number != self.received.largest + 1:
                self._out_of_order = True
        self.received.add(packet_number, now, ack_eliciting)

    def on_train(self, now: float) -> None:
        """All packets of a train were applied."""
        if self._eliciting >= ACK_ELICITING_THRESHOLD or self._out_of_order:
            self.due_at = now
            self.is_due_now = True
        elif self._eliciting and self.due_at is None:
            self.due_at = now + self.max_ack_delay

    def is_due(self, now: float) -> bool:
        """True if an ACK must go now."""
        return self.due_at is not None and (self.is_due_now or self.due_at <= now)

    def on_sent(self) -> None:
        """An ACK of everything received goes out."""
        self.due_at = None
        self.is_due_now = self._out_of_order = False
        self._eliciting = 0
