"""What a connection can say about itself.

Owns: the record and how it is gathered. May not know: who reads it.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastmux import core
from fastmux.protocol.congestion.choice import ssthresh_of
from fastmux.protocol.traffic import Traffic


@dataclass(frozen=True, slots=True)
class ConnectionStatistics:
    """A moment's figures of one end; after the end of the connection its last ones.

    Times are in seconds, sizes in bytes. What is marked *count* only grows, from 0 when the connection began;
    packets and bytes are those of the application space (short headers), a packet is one UDP datagram, and
    its bytes are the UDP payload. The handshake's are not counted.

    **Path**

    * `rtt`, `rttvar`: smoothed round trip and its variation (RFC 9002 §5.3). Before the first sample `rtt`
      is the initial guess, the others are 0.
    * `min_rtt`, `latest_rtt`: the smallest round trip lately, and the last sample.
    * `pto`: the probe timeout without back-off, at most MAX_PTO.
    * `pto_count`: probe timeouts in a row without an acknowledgement: above 0 the path is silent.
    * `peer_ack_delay`: the longest that the peer may wait with an ACK.
    * `mtu`: the size of the datagrams in use.
    * `last_seen`: when the last authentic packet came, on the clock that drives the connection
      (`time.monotonic` in asyncio).
    * `migrations`, `paths_validated`: *counts* of moves to another path, and of paths that proved to be real
      after the handshake.

    **Sending**

    * `congestion_window`, `bytes_in_flight`: what may be, and what is, sent and not acknowledged yet.
    * `ssthresh`: the window at which slow start ends; None before the first congestion, and with bbr.
    * `packets_sent`, `bytes_sent`: *counts* of all that was sent, retransmissions, probes and ACKs too.
    * `packets_acked`, `packets_lost`: *counts* of packets that the peer acknowledged, and of those that were
      declared lost (some of them may still have arrived).
    * `retransmitted_bytes`: *count* of stream and message bytes that were sent again.
    * `acks_sent`: *count* of ACK frames.
    * `messages_abandoned`: *count* of messages given up here: lifetime over, retransmissions used up, or
      unreliable and lost.

    **Receiving**

    * `packets_received`, `bytes_received`: *counts* of authentic packets that were not duplicates.
    * `acks_received`: *count* of ACK frames.
    * `undecryptable_packets`: *count* of packets that did not authenticate: forged, damaged, or under keys
      that are gone.
    * `duplicate_packets`: *count* of packets that came twice, or too late to tell.
    * `dropped_packets`: *count* of packets dropped unacknowledged, because what they held had no room. A peer
      that follows the rules sends them again.
    * `malformed_packets`: *count* of packets too short for a header, or with a wrong one.
    * `glitches`: *count* of packets with a frame that was of no use; too many a second end the connection.
    * `datagrams_dropped`: *count* of unreliable datagrams dropped here, either way: nobody read them, too
      many waited to be sent, or they no longer fitted the path.
    * `held_size`: received bytes that wait for the application, or for a gap before them.

    **Channels and keys**

    * `channel_count`: channels of both ends that are open. `channels_opened`, `streams_opened`: *counts* of
      both ends' channels, and of the streams among them.
    * `key_updates`: *count* of times that both directions changed keys.
    """

    rtt: float
    rttvar: float
    min_rtt: float
    latest_rtt: float
    pto: float
    pto_count: int
    peer_ack_delay: float
    mtu: int
    last_seen: float
    migrations: int
    paths_validated: int
    congestion_window: int
    bytes_in_flight: int
    ssthresh: int | None
    packets_sent: int
    bytes_sent: int
    packets_acked: int
    packets_lost: int
    retransmitted_bytes: int
    acks_sent: int
    messages_abandoned: int
    packets_received: int
    bytes_received: int
    acks_received: int
    undecryptable_packets: int
    duplicate_packets: int
    dropped_packets: int
    malformed_packets: int
    glitches: int
    datagrams_dropped: int
    held_size: int
    channel_count: int
    channels_opened: int
    streams_opened: int
    key_updates: int


def gather(
    data_path: core.DataPath,
    traffic: Traffic,
    last_seen: float,
    migrations: int = 0,
    paths_validated: int = 0,
) -> ConnectionStatistics:
    """Take the figures of a data path that is not closed."""
    counters = data_path.counters()
    rtt, congestion, recovery = traffic.rtt, traffic.congestion, traffic.recovery
    return ConnectionStatistics(
        rtt=rtt.smoothed_rtt,
        rttvar=rtt.rttvar,
        min_rtt=rtt.min_rtt,
        latest_rtt=rtt.latest_rtt,
        pto=traffic.pto(),
        pto_count=recovery.pto_count,
        peer_ack_delay=recovery.max_ack_delay,
        mtu=traffic.mtu.current,
        last_seen=last_seen,
        migrations=migrations,
        paths_validated=paths_validated,
        congestion_window=congestion.congestion_window,
        bytes_in_flight=data_path.bytes_in_flight,
        ssthresh=ssthresh_of(congestion),
        packets_sent=counters["packets_sent"],
        bytes_sent=counters["bytes_sent"],
        packets_acked=counters["packets_acked"],
        packets_lost=counters["packets_lost"],
        retransmitted_bytes=counters["retransmitted_bytes"],
        acks_sent=counters["acks_sent"],
        messages_abandoned=counters["messages_abandoned"],
        packets_received=counters["packets_received"],
        bytes_received=counters["bytes_received"],
        acks_received=counters["acks_received"],
        undecryptable_packets=counters["undecryptable_packets"],
        duplicate_packets=counters["duplicate_packets"],
        dropped_packets=counters["dropped_packets"],
        malformed_packets=counters["malformed_packets"],
        glitches=counters["glitches"],
        datagrams_dropped=counters["datagrams_dropped"],
        held_size=data_path.held_size,
        channel_count=data_path.channel_count,
        channels_opened=counters["channels_opened"],
        streams_opened=counters["streams_opened"],
        key_updates=counters["key_updates"],
    )
