"""The plain tuples that both cores return once a batch.

Owns: their fields. May not know: which core made them.
"""

from __future__ import annotations

from typing import NamedTuple


class LongHeader(NamedTuple):
    """A parsed long header. `header_size` counts from the packet's start to the end of the packet number."""

    type: int
    version: int
    destination_id: bytes
    source_id: bytes
    token: bytes
    packet_number: int  # truncated to 32 bits
    header_size: int


class AckSummary(NamedTuple):
    """What the ACK frames and loss scans since the last summary came to. Sizes in bytes, times in seconds.

    Lost and acked sizes count packets in flight; MTU probes are in neither. `latest_rtt` is None unless the
    largest acknowledged packet was newly acknowledged and something newly acknowledged was ack-eliciting
    (RFC 9002 §5.1). `lost_span` is the longest time between the sending of two ack-eliciting packets of which
    both and all between were declared lost in one scan (RFC 9002 §7.6).

    The rate sample (draft-ietf-ccwg-bbr §4.1) is that of the newest packet acknowledged by the last ACK:
    `delivery_rate` in bytes a second, None without a sample; `is_app_limited`; `delivered` so far, and
    `prior_delivered` when the packet was sent; `tx_in_flight` just after it was sent, itself included; the
    bytes `lost_since_sent`. Without one they are 0.

    `lost_runs` counts runs of neighbours that were lost. `inflight_at_excess` looks at the first lost packet
    since whose sending more than LOSS_THRESHOLD_PERCENT of what was then in flight was lost: at how many
    bytes in flight that threshold was passed (§5.5.10.2), None if there is no such packet;
    `is_excess_app_limited` says whether it was sent in an app-limited phase.
    """

    acked_size: int
    acked_packets: int
    lost_size: int
    lost_packets: int
    largest_acked: int
    largest_acked_sent_at: float
    largest_lost_sent_at: float | None
    latest_rtt: float | None
    ack_delay: float
    lost_span: float
    prior_in_flight: int
    bytes_in_flight: int
    max_acked_size: int
    max_lost_size: int
    delivered: int
    delivery_rate: float | None
    is_app_limited: bool
    prior_delivered: int
    tx_in_flight: int
    lost_since_sent: int
    lost_runs: int
    inflight_at_excess: float | None
    is_excess_app_limited: bool


class Deadlines(NamedTuple):
    """When the data path wants to be called again; None for never.

    `ack_at`: an ACK falls due (call fill). `loss_at`: a packet is lost by time (call detect_losses).
    `last_eliciting_sent_at`: when the newest ack-eliciting packet in flight was sent, the base of the PTO.
    `expiry_at`: a message with a lifetime runs out (call expire).
    """

    ack_at: float | None
    loss_at: float | None
    last_eliciting_sent_at: float | None
    expiry_at: float | None


class Charges(NamedTuple):
    """What a data path holds, in bytes; what an object takes beside its own counts by a `_CHARGE` constant.

    `received`: data that is not taken, by blocks. `spans`: runs of it, of message ids and of packet numbers.
    `messages`: those received and not taken, and those sent and not over. `datagrams` and `control`: what
    waits, either way. `reports`: what waits for `take_control`. `channels`: those that are open. `ledger`:
    packets sent and neither acknowledged nor lost. `unacked`: what was sent and is kept, for the peer has not
    confirmed it. `unsent`: what was written and never sent, which is the application's affair.
    """

    received: int
    spans: int
    messages: int
    datagrams: int
    control: int
    reports: int
    channels: int
    ledger: int
    unacked: int
    unsent: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self)


class OpenFields(NamedTuple):
    """What an OPEN frame carries."""

    label: bytes
    priority: int
    ordered: bool
    reliability: int
    value: int
