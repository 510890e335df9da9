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
    both and all between were declared lost in one scan (RFC 9002 §7.6). `delivery_rate` is in bytes a second
    (draft-ietf-ccwg-bbr §4.1), None without a sample.
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


class OpenFields(NamedTuple):
    """What an OPEN frame carries."""

    label: bytes
    priority: int
    ordered: bool
    reliability: int
    value: int
