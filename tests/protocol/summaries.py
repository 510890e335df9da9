"""ACK summaries for tests of what stands on them, without a ledger."""

from __future__ import annotations

from fastmux.records import AckSummary

NOTHING = AckSummary(
    acked_size=0,
    acked_packets=0,
    lost_size=0,
    lost_packets=0,
    largest_acked=0,
    largest_acked_sent_at=0.0,
    largest_lost_sent_at=None,
    latest_rtt=None,
    ack_delay=0.0,
    lost_span=0.0,
    prior_in_flight=0,
    bytes_in_flight=0,
    max_acked_size=0,
    max_lost_size=0,
    delivered=0,
    delivery_rate=None,
    is_app_limited=False,
    prior_delivered=0,
    tx_in_flight=0,
    lost_since_sent=0,
    lost_runs=0,
    inflight_at_excess=None,
    is_excess_app_limited=False,
)


def acked(
    size: int,
    sent_at: float,
    *,
    rtt: float | None = None,
    ack_delay: float = 0.0,
    datagram_size: int = 1200,
    in_flight: int = 0,
    is_app_limited: bool = False,
) -> AckSummary:
    """`size` bytes newly acknowledged, of which the newest packet was sent at `sent_at`."""
    return NOTHING._replace(
        acked_size=size,
        acked_packets=-(-size // datagram_size),
        largest_acked_sent_at=sent_at,
        latest_rtt=rtt,
        ack_delay=ack_delay,
        prior_in_flight=in_flight,
        max_acked_size=min(size, datagram_size),
        is_app_limited=is_app_limited,
    )


def lost(size: int, sent_at: float, *, span: float = 0.0, datagram_size: int = 1200) -> AckSummary:
    """`size` bytes newly lost, of which the newest packet was sent at `sent_at`."""
    return NOTHING._replace(
        lost_size=size,
        lost_packets=-(-size // datagram_size),
        largest_lost_sent_at=sent_at,
        lost_span=span,
        max_lost_size=min(size, datagram_size),
    )
