"""One connection, sans-IO: datagrams and time in; trains, events and a deadline out.

Owns: the connection's life, and who of its parts gets what. May not know: how any of them does its work; sockets,
clocks and random numbers, which come from outside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ConnectionClosed, HandshakeError, ProtocolError
from fastmux.protocol.closing import Closing, encode_close
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.control import Control
from fastmux.protocol.credit import Credit
from fastmux.protocol.events import (
    Address,
    ChannelsReady,
    Closed,
    DatagramsReceived,
    Event,
    Opened,
    Transmit,
)
from fastmux.protocol.handshake import Handshake, PacketKeys, PeerIdentity
from fastmux.protocol.handshake_packets import HandshakePackets
from fastmux.protocol.handshake_space import PACKET_SIZE, HandshakeSpace
from fastmux.protocol.handshaking import Handshaking, failure_code
from fastmux.protocol.liveness import Liveness
from fastmux.protocol.parameters import Parameters, encode_parameters, parameters_of
from fastmux.protocol.path import Path
from fastmux.protocol.rtt import RttEstimator
from fastmux.protocol.statistics import ConnectionStatistics, gather
from fastmux.protocol.traffic import Traffic
from fastmux.records import LongHeader

_GREASE_SIZE = 5
_CHALLENGE_SIZE = 8


class Ids(NamedTuple):
    """Connection ids: the one that this end chose, the peer's, and the client's first destination id."""

    local: bytes
    remote: bytes
    first: bytes


class Connection:
    """One end of a connection. Made by `Endpoint.connect`, or by an endpoint for a peer that knocked.

    Channels are used on `data_path` directly; afterwards `touch` (or `transmit`) lets the endpoint know. What had
    arrived when the peer closed, or fell silent, can still be read there until `discard`; a close from this
    end discards by itself, and the data path then raises `ClosedResourceError`.

    Invariant: `_handshaking` is there until the handshake is confirmed, `_closing` from the moment `is_closed`; the
    events are `Opened` at most once, then others, then `Closed` once and nothing after it.
    """

    def __init__(
        self,
        is_client: bool,
        address: Address,
        handshake: Handshake,
        ids: Ids,
        configuration: Configuration,
        random_bytes: Callable[[int], bytes],
        touch: Callable[[Connection], None],
    ) -> None:
        self.is_client = is_client
        self.configuration = configuration
        self.ids = ids
        self.peer: PeerIdentity | None = None
        self.is_open = False
        self.has_opened = False
        self.is_closed = False
        self.user_data: object = None
        self.data_path = _data_path(is_client, ids.local, configuration)
        self._touch = touch
        self._random_bytes = random_bytes
        self._events: deque[Event] = deque()
        self._path = Path(address, is_validated=is_client)
        rtt = RttEstimator(configuration.initial_rtt)
        self._packets = HandshakePackets(
            is_client=is_client,
            version=handshake.version,
            local_id=ids.local,
            remote_id=ids.remote,
            first_id=ids.first,
        )
        self._handshaking: Handshaking | None = Handshaking(
            handshake,
            HandshakeSpace(self._packets, rtt, is_client=is_client),
            self._path,
            is_client=is_client,
            parameters=encode_parameters(
                parameters_of(configuration), grease=random_bytes(_GREASE_SIZE)
            ),
            first_id=ids.first,
        )
        self._peer_parameters = Parameters()
        self._keys: PacketKeys | None = None
        self._traffic = Traffic(self.data_path, rtt, configuration, random_bytes)
        self._control = Control(self.data_path, self._traffic)
        self._credit = Credit(self.data_path, configuration)
        self._liveness = Liveness(self.data_path, configuration, 0.0)
        self._closing: Closing | None = None
        self._shutdown: tuple[int, str] | None = None
        self._final_statistics: ConnectionStatistics | None = None

    @property
    def address(self) -> Address:
        """Where the peer is."""
        return self._path.address

    @property
    def last_seen(self) -> float:
        """When the last authentic packet came (when the connection began, before the first)."""
        return self._liveness.last_seen

    def start(self, now: float) -> None:
        """Begin the handshake. Raises `HandshakeError` if that is impossible."""
        assert self._handshaking is not None
        self._liveness.on_handshake_packet(now)
        challenge = b"" if self.is_client else self._random_bytes(_CHALLENGE_SIZE)
        self._handshaking.start(self.configuration.handshake_timeout, now, challenge)
        self.touch()

    # --- datagrams in ----------------------------------------------------------------------------------

    def receive(
        self,
        buffer: bytearray | memoryview,
        start: int,
        stop: int,
        segment_size: int,
        address: Address,
        now: float,
    ) -> int:
        """Take the short-header packets of this connection at `start`; return the bytes that are dealt with.

        The segments from `start` to `stop` may belong to others from some point on; at least one is ours.
        """
        first_size = min(segment_size, stop - start)
        if self._closing is not None:
            if address == self.address:
                self._closing.on_received(first_size)
                self.touch()
            return first_size
        if self._handshaking is not None:
            if address != self.address:
                return first_size
            if self._keys is None:
                if not self.is_client:
                    self._handshaking.keep_early(bytes(buffer[start : start + first_size]))
                return first_size
        try:
            consumed = self.data_path.receive(buffer, start, stop - start, segment_size, now)
            self._on_batch(now)
        except ProtocolError as error:
            self.fail(error.code, error.reason, now)
            return first_size
        self.touch()
        return max(consumed, first_size)

    def receive_handshake(
        self, header: LongHeader, packet: bytes, address: Address, now: float
    ) -> bool:
        """Take a handshake packet; False if it counts for nothing."""
        if address != self.address:
            return False
        if self._closing is not None:
            self._closing.on_received(len(packet))
            self.touch()
            return False
        if self._handshaking is None or not self._is_from_peer(header):
            return False
        try:
            is_authentic = self._handshaking.receive(header, packet, now)
            if is_authentic:
                self._packets.remote_id = header.source_id
                self._liveness.on_handshake_packet(now)
                self._follow_handshake(self._handshaking, now)
        except (HandshakeError, ProtocolError) as error:
            self._fail_handshake(error, now)
            return True
        if is_authentic:
            self.touch()
        return is_authentic

    def receive_version_negotiation(
        self, header: LongHeader, versions: tuple[int, ...], now: float
    ) -> None:
        """The server says which versions it speaks: the end, if ours is not among them (§3.4)."""
        handshaking = self._handshaking
        if handshaking is None or not self.is_client or handshaking.space.has_received:
            return
        version = handshaking.handshake.version
        if header.source_id != self.ids.first or version in versions:
            return
        spoken = ", ".join(f"{spoken:#x}" for spoken in versions) or "none"
        text = f"the server does not speak version {version:#x} (it speaks: {spoken})"
        if c.VERSION_PLAINTEXT in (version, *versions):
            text += ": one end is set to PLAINTEXT, the other to TLS"
        self._end(HandshakeError(text), [], now)

    def _is_from_peer(self, header: LongHeader) -> bool:
        """The peer's ids are fixed from its first packet (a client learns them with it)."""
        if len(header.source_id) < c.MIN_CONNECTION_ID_SIZE:
            return False
        is_first = self.is_client and self._packets.remote_id == self.ids.first
        return is_first or header.source_id == self._packets.remote_id

    # --- the handshake's results -------------------------------------------------------------------------

    def _follow_handshake(self, handshaking: Handshaking, now: float) -> None:
        """Take the keys when they are due (a server: steps 4, a client: after step 3)."""
        keys, peer = handshaking.keys, handshaking.peer_parameters
        if self._keys is not None or keys is None or peer is None:
            return
        if not self.is_client and not handshaking.is_verified:
            return
        self._keys = keys
        self._peer_parameters = peer
        self.data_path.set_keys(
            keys.suite, keys.send_key, keys.send_iv, keys.receive_key, keys.receive_iv
        )
        self.data_path.set_peer(
            self._packets.remote_id,
            max_data=peer.initial_max_data,
            max_channel_data=peer.initial_max_channel_data,
            max_streams=peer.initial_max_streams,
            max_message_channels=peer.initial_max_message_channels,
            max_message_size=peer.max_message_size,
            max_datagram_frame_size=peer.max_datagram_frame_size,
        )
        self._traffic.on_keys(keys.suite)
        if not self.is_client:
            self._control.send_handshake_done()
            self._open(handshaking, now)
            for packet in handshaking.take_early():
                self.data_path.receive(packet, 0, len(packet), len(packet), now)
            self._on_batch(now)

    def _open(self, handshaking: Handshaking, now: float) -> None:
        keys, peer = self._keys, handshaking.handshake.peer
        assert keys is not None and peer is not None  # a complete handshake has both
        self.peer = peer
        self.is_open = self.has_opened = True
        self._traffic.on_confirmed(self._peer_parameters)
        self._liveness.start(self._peer_parameters, keys.suite, now)
        self._events.append(Opened(peer))

    # --- once a batch ---------------------------------------------------------------------------------

    def _on_batch(self, now: float) -> None:
        """See what the data path has for the policies and for the user. Raises `ProtocolError`."""
        self._traffic.on_batch(now)
        self._liveness.on_batch(now)
        outcome = self._control.take(now)
        if outcome is not None and outcome.is_handshake_done:
            self._finish_handshake(now)
        if not self.has_opened:
            if outcome is not None and outcome.close is not None:
                self._drain(*outcome.close, now)
            return
        if outcome is not None:
            self._events.extend(outcome.events)
        self._take_ready()
        if outcome is not None and outcome.close is not None:
            self._drain(*outcome.close, now)
        else:
            self._finish_shutdown(now)

    def _finish_handshake(self, now: float) -> None:
        """HANDSHAKE_DONE came: a client is open (step 5)."""
        if not self.is_client:
            raise ProtocolError(c.PROTOCOL_VIOLATION, "HANDSHAKE_DONE from a client")
        if self._handshaking is not None:
            self._open(self._handshaking, now)
            self._handshaking = None

    def _take_ready(self) -> None:
        ready = self.data_path.take_ready()
        if ready:
            for channel_id, flags in ready:
                if flags & c.READY_DONE:
                    self._credit.forget(channel_id)
            self._events.append(ChannelsReady(ready))
        datagrams = self.data_path.take_datagrams()
        if datagrams:
            self._events.append(DatagramsReceived(datagrams))

    def next_event(self) -> Event | None:
        """Give the oldest event that was not given yet."""
        return self._events.popleft() if self._events else None

    # --- datagrams out ----------------------------------------------------------------------------------

    def transmit(self, buffer: bytearray | memoryview, now: float) -> Transmit | None:
        """Fill `buffer` (65,536 bytes, the same object each time) with a train; None if nothing may go now."""
        if self._closing is not None:
            return self._closing.transmit(buffer)
        if self._handshaking is not None:
            size = self._handshaking.fill(buffer, now)
            if size:
                return Transmit(size, min(size, PACKET_SIZE), self.address)
            if self.is_open:  # a server whose last handshake packet is sent drops the keys (step 4)
                self._handshaking = None
        if self._keys is None:
            return None
        return self._transmit_data(buffer, now)

    def _transmit_data(self, buffer: bytearray | memoryview, now: float) -> Transmit | None:
        size, segment_size = 0, self._traffic.mtu.current
        if self.has_opened:
            self._credit.update(now, self._traffic.rtt.smoothed_rtt)
            self._finish_shutdown(now)
            if self._closing is not None:
                return self._closing.transmit(buffer)
            size, segment_size = self._control.fill(buffer, now)
        if not size:
            segment_size = self._traffic.mtu.current
            size = self._traffic.fill(buffer, now)
        if not size:
            return None
        if self._traffic.eliciting_sent_at == now:
            self._liveness.on_sent(now)
        if self._traffic.is_key_exhausted:
            self.fail(c.AEAD_LIMIT_REACHED, "the packet key is used up", now)
        return Transmit(size, min(segment_size, size), self.address)

    # --- time ---------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When to call `handle_timeout`, and then `transmit`; None for never."""
        if self._closing is not None:
            return self._closing.deadline()
        times = []
        if self._handshaking is not None:
            times.append(self._handshaking.deadline())
        if self._keys is not None:
            times.append(self._traffic.deadline())
            times.append(self._liveness.deadline(self._traffic.pto()))
        return min((at for at in times if at is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Do what is due; afterwards there may be events and something to send."""
        self.touch()
        if self._closing is not None:
            self._closing.handle_timeout(now)
            return
        try:
            if self._handshaking is not None:
                self._handshaking.handle_timeout(now)
            if self._keys is not None:
                self._handle_data_timeout(now)
        except HandshakeError as error:
            self._fail_handshake(error, now)
        except ProtocolError as error:
            self.fail(error.code, error.reason, now)

    def _handle_data_timeout(self, now: float) -> None:
        if self._liveness.is_silent(now):
            text = f"the peer was silent for {self._liveness.timeout:g} s"
            self._end(ConnectionClosed(c.IDLE_TIMEOUT, text), [], now, is_gone=True)
            return
        if self._traffic.handle_timeout(now):
            self._control.on_probe_timeout()
        if self._liveness.is_keep_alive_due(now):
            self._control.keep_alive()
        self._on_batch(now)

    def is_over(self, now: float) -> bool:
        """True if the endpoint may forget the connection."""
        return self._closing is not None and self._closing.is_over(now)

    # --- what the user does --------------------------------------------------------------------------

    def touch(self) -> None:
        """Something was done with the connection: it may have something to send or to say."""
        self._touch(self)

    def ping(self, now: float) -> int:
        """Measure a round trip: returns the token of the `PingAcknowledged` to come."""
        self.touch()
        return self._control.ping(now)

    def statistics(self) -> ConnectionStatistics:
        """Give the figures of now, or of the end."""
        if self._final_statistics is not None:
            return self._final_statistics
        return gather(self.data_path, self._traffic, self.last_seen)

    def shutdown(self, code: int, reason: str, now: float) -> None:
        """Close as soon as everything that was accepted for sending is acknowledged."""
        if not self.is_closed and self._shutdown is None:
            self._shutdown = (code, reason)
            self.is_open = False
            self._finish_shutdown(now)
            self.touch()

    def close(self, code: int, reason: str, now: float) -> None:
        """Close at once, with a code of the application: what is unsent or unread is lost."""
        self._leave(c.FRAME_APPLICATION_CLOSE, code, reason, ConnectionClosed(code, reason), now)

    def fail(self, code: int, reason: str, now: float) -> None:
        """Close at once because a rule of the transport was broken."""
        error: ConnectionError = ConnectionClosed(code, reason)
        if not self.has_opened:
            error = HandshakeError(f"{reason} (code {code:#x})")
        self._leave(c.FRAME_CONNECTION_CLOSE, code, reason, error, now)

    def discard(self) -> None:
        """After the end: free what was still kept for reading."""
        if self.is_closed:
            self._free()

    # --- the end ------------------------------------------------------------------------------------

    def _finish_shutdown(self, now: float) -> None:
        if self._shutdown is not None and not self.is_closed and self.data_path.is_idle:
            self.close(*self._shutdown, now)

    def _fail_handshake(self, error: HandshakeError | ProtocolError, now: float) -> None:
        if isinstance(error, ProtocolError) or self._handshaking is None:
            reason = error.reason if isinstance(error, ProtocolError) else str(error)
            self.fail(failure_code(error), reason, now)
            return
        # Why exactly it failed is this end's business: the peer gets the alert and the kind of failure.
        reason = "authentication failed" if failure_code(error) == 0x12A else "handshake failed"
        packets = self._goodbye(c.FRAME_CONNECTION_CLOSE, failure_code(error), reason, now)
        self._end(error, packets, now)
        self._free()

    def _leave(
        self, frame_type: int, code: int, reason: str, error: ConnectionError, now: float
    ) -> None:
        if not self.is_closed:
            self._end(error, self._goodbye(frame_type, code, reason, now), now)
            self._free()

    def _goodbye(self, frame_type: int, code: int, reason: str, now: float) -> list[bytes]:
        """Seal the last packets: under every kind of keys that the peer may have."""
        packets: list[bytes] = []
        if self._handshaking is not None:
            if frame_type == c.FRAME_APPLICATION_CLOSE:  # the application's words are not for this space
                close = encode_close(c.FRAME_CONNECTION_CLOSE, c.CANCELLED, "")
            else:
                close = encode_close(frame_type, code, reason)
            limit = self._path.send_limit
            packets += self._handshaking.space.last_packets(
                close, c.MAX_TRAIN_SIZE if limit is None else limit, now
            )
        if self._keys is not None:
            buffer = bytearray(PACKET_SIZE)
            size = self._traffic.build(buffer, encode_close(frame_type, code, reason), 0, 0, now)
            packets.append(bytes(buffer[:size]))
        return packets

    def _drain(self, code: int, reason: str, now: float) -> None:
        """The peer closed: say nothing more."""
        self._end(ConnectionClosed(code, reason, remote=True), [], now)

    def _end(
        self, error: ConnectionError, packets: list[bytes], now: float, *, is_gone: bool = False
    ) -> None:
        """Become closed. `is_gone`: there is nobody to wait for."""
        self._final_statistics = gather(self.data_path, self._traffic, self.last_seen)
        self.is_open = False
        self.is_closed = True
        self._closing = Closing(packets, self._path, 0.0 if is_gone else self._traffic.pto(), now)
        self._handshaking = None
        self._events.append(Closed(error))
        self.touch()

    def _free(self) -> None:
        self.data_path.close()


def _data_path(is_client: bool, local_id: bytes, configuration: Configuration) -> core.DataPath:
    return core.DataPath(
        is_client,
        local_id,
        max_data=configuration.connection_window,
        max_channel_data=configuration.channel_window,
        max_streams=configuration.max_streams,
        max_message_channels=configuration.max_message_channels,
        max_message_size=configuration.max_message_size,
        max_datagram_frame_size=configuration.max_datagram_frame_size,
        max_ack_delay=configuration.max_ack_delay,
        write_limit=configuration.write_limit,
        budget=configuration.budget,
    )
