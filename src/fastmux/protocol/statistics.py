"""What a connection can say about itself.

Owns: the record and how it is gathered. May not know: who reads it.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastmux import core
from fastmux.protocol.traffic import Traffic


@dataclass(frozen=True, slots=True)
class ConnectionStatistics:
    """A moment's figures. Times in seconds, sizes in bytes; counts are since the connection began.

    `rtt`, `rttvar`, `min_rtt` and `latest_rtt` are the estimate of RFC 9002 §5 (0 before the first sample,
    but for `rtt`, which then is the initial guess); `mtu` is the datagram size in use; `last_seen` is when
    the last authentic packet came, on the clock that `now` is from; `key_updates` is how often both
    directions changed keys; `migrations` how often the connection went on by another path, `paths_validated`
    how often one proved to be real after the handshake.
    """

    rtt: float
    rttvar: float
    min_rtt: float
    latest_rtt: float
    congestion_window: int
    bytes_in_flight: int
    mtu: int
    last_seen: float
    held_size: int
    channel_count: int
    packets_sent: int
    packets_received: int
    packets_lost: int
    bytes_sent: int
    bytes_received: int
    retransmitted_bytes: int
    undecryptable_packets: int
    duplicate_packets: int
    dropped_packets: int
    datagrams_dropped: int
    messages_abandoned: int
    channels_opened: int
    key_updates: int
    migrations: int
    paths_validated: int


def gather(
    data_path: core.DataPath,
    traffic: Traffic,
    last_seen: float,
    migrations: int = 0,
    paths_validated: int = 0,
) -> ConnectionStatistics:
    """Take the figures of a data path that is not closed."""
    counters = data_path.counters()
    rtt = traffic.rtt
    return ConnectionStatistics(
        rtt=rtt.smoothed_rtt,
        rttvar=rtt.rttvar,
        min_rtt=rtt.min_rtt,
        latest_rtt=rtt.latest_rtt,
        congestion_window=traffic.congestion.congestion_window,
        bytes_in_flight=data_path.bytes_in_flight,
        mtu=traffic.mtu.current,
        last_seen=last_seen,
        held_size=data_path.held_size,
        channel_count=data_path.channel_count,
        packets_sent=counters["packets_sent"],
        packets_received=counters["packets_received"],
        packets_lost=counters["packets_lost"],
        bytes_sent=counters["bytes_sent"],
        bytes_received=counters["bytes_received"],
        retransmitted_bytes=counters["retransmitted_bytes"],
        undecryptable_packets=counters["undecryptable_packets"],
        duplicate_packets=counters["duplicate_packets"],
        dropped_packets=counters["dropped_packets"],
        datagrams_dropped=counters["datagrams_dropped"],
        messages_abandoned=counters["messages_abandoned"],
        channels_opened=counters["channels_opened"],
        key_updates=counters["key_updates"],
        migrations=migrations,
        paths_validated=paths_validated,
    )
