"""A connection that tells an observer what it does.

Owns: when an observer is told, and what. May not know: what the observer makes of it. A connection that
nobody observes is a plain `Connection`: it does not even ask whether there is an observer.
"""

from __future__ import annotations

from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.congestion.choice import ssthresh_of
from fastmux.protocol.connection import Connection
from fastmux.protocol.events import (
    Address,
    ChannelsAvailable,
    ChannelsReady,
    DatagramsReceived,
    Event,
    PingAcknowledged,
    Transmit,
)
from fastmux.protocol.handshake import Handshake, PacketKeys
from fastmux.protocol.handshaking import Handshaking
from fastmux.protocol.observer import Metrics, Observer, Train
from fastmux.protocol.parameters import Parameters, parameters_of
from fastmux.protocol.path import Path
from fastmux.protocol.surroundings import Ids, Surroundings
from fastmux.records import LongHeader

_FREQUENT: Final = (ChannelsReady, ChannelsAvailable, DatagramsReceived, PingAcknowledged)
_NUMBER_SIZE: Final = 4  # bytes of a packet number in a short header


class ObservedConnection(Connection):
    """Invariant: `_now` is the latest time that this end was given; the sizes are of ids in short headers."""

    __slots__ = ("_local_id_size", "_now", "_observer", "_remote_id_size")

    def __init__(
        self,
        is_client: bool,
        address: Address,
        handshake: Handshake,
        ids: Ids,
        surroundings: Surroundings,
        observer: Observer,
    ) -> None:
        super().__init__(is_client, address, handshake, ids, surroundings)
        self._observer = observer
        self._now = 0.0
        self._local_id_size = len(ids.local)
        self._remote_id_size = 0

    def start(self, now: float) -> None:
        """As the plain connection's."""
        self._now = now
        self._observer.started(now)
        super().start(now)

    def transmit(self, buffer: bytearray | memoryview, now: float) -> Transmit | None:
        """As the plain connection's."""
        self._now = now
        sent = super().transmit(buffer, now)
        if sent is not None:
            if buffer[0] & c.FORM_LONG:
                for start in range(0, sent.size, sent.segment_size):
                    stop = min(start + sent.segment_size, sent.size)
                    header = core.parse_long_header(buffer, start, stop)
                    self._observer.handshake_sent(header, stop - start, now)
            else:
                train = _train(buffer, 0, sent.size, sent.segment_size, self._remote_id_size)
                in_flight = 0 if self.is_closed else self.data_path.bytes_in_flight
                self._observer.train_sent(train, in_flight, now)
        return sent

    def handle_timeout(self, now: float) -> None:
        """As the plain connection's."""
        self._now = now
        super().handle_timeout(now)

    def next_event(self) -> Event | None:
        """As the plain connection's."""
        event = super().next_event()
        if event is not None and not isinstance(event, _FREQUENT):
            self._observer.event(event, self._now)
        return event

    def _take_handshake_packet(
        self, handshaking: Handshaking, header: LongHeader, packet: bytes, now: float
    ) -> None:
        self._now = now
        super()._take_handshake_packet(handshaking, header, packet, now)
        if self.last_seen == now:
            self._observer.handshake_received(header, len(packet), now)

    def _open_train(
        self, buffer: bytearray | memoryview, start: int, stop: int, segment_size: int, now: float
    ) -> int:
        self._now = now
        consumed = super()._open_train(buffer, start, stop, segment_size, now)
        if not self.is_closed and self.data_path.last_received_at == now:
            train = _train(buffer, start, start + consumed, segment_size, self._local_id_size)
            self._observer.train_received(train, now)
        return consumed

    def _install(self, keys: PacketKeys, remote_id: bytes, peer: Parameters) -> None:
        self._remote_id_size = len(remote_id)
        super()._install(keys, remote_id, peer)
        self._observer.keyed(keys.suite, parameters_of(self.configuration), peer, self._now)

    def _take_batch(self, now: float, path: Path | None = None) -> None:
        traffic = self._data.traffic
        summary = self.data_path.take_ack_summary()
        if summary is not None:
            traffic.on_batch(now, summary)
        super()._take_batch(now, path)
        if not self.is_closed:
            self._observer.batch(self._metrics(), summary, now)

    def _end(
        self, error: ConnectionError, packets: list[bytes], now: float, *, is_gone: bool = False
    ) -> None:
        self._now = now
        super()._end(error, packets, now, is_gone=is_gone)

    def _metrics(self) -> Metrics:
        traffic, data_path = self._data.traffic, self.data_path
        rtt, congestion = traffic.rtt, traffic.congestion
        return Metrics(
            rtt.smoothed_rtt,
            rtt.rttvar,
            rtt.min_rtt,
            rtt.latest_rtt,
            congestion.congestion_window,
            ssthresh_of(congestion),
            data_path.bytes_in_flight,
            data_path.deadlines().loss_at is None,
            data_path.largest_lost,
            traffic.recovery.pto_count,
            traffic.mtu.current,
            data_path.counters(),
        )


def _train(buffer: bytearray | memoryview, start: int, stop: int, segment_size: int, id_size: int) -> Train:
    """Read the numbers of the first and the last packet out of their headers, which are not masked."""
    packets = -(-(stop - start) // segment_size)
    last = start + (packets - 1) * segment_size
    first = _number(buffer, start, id_size)
    return Train(first, _number(buffer, last, id_size) if packets > 1 else first, packets, stop - start)


def _number(buffer: bytearray | memoryview, start: int, id_size: int) -> int:
    begin = start + 1 + id_size
    return int.from_bytes(buffer[begin : begin + _NUMBER_SIZE], "big")
