"""One connection, sans-IO: datagrams and time in; trains, events and a deadline out.

Owns: who of a connection's parts gets what that comes, and when which may send. May not know: how any of them
does its work; sockets, clocks and random numbers, which come from outside.
"""

from __future__ import annotations

from fastmux import constants as c
from fastmux.exceptions import ConnectionClosed, HandshakeError
from fastmux.protocol.connection_life import FAILURES, ConnectionLife
from fastmux.protocol.control import Outcome
from fastmux.protocol.events import Address, Event, Opened, Transmit
from fastmux.protocol.handshake import PacketKeys, PeerIdentity
from fastmux.protocol.handshake_space import PACKET_SIZE
from fastmux.protocol.handshaking import Handshaking
from fastmux.protocol.mobility import Mobility
from fastmux.protocol.negotiation import decode_versions
from fastmux.protocol.parameters import Parameters
from fastmux.protocol.path import Path
from fastmux.protocol.traffic import earlier
from fastmux.records import LongHeader

_CHALLENGE_SIZE = 8


class Connection(ConnectionLife):
    """One end of a connection. Made by `Endpoint.connect`, or by an endpoint for a peer that knocked.

    Channels are used on `data_path` directly; `touch` afterwards, so that the connection is driven. What had
    arrived when the peer closed, or fell silent, can still be read there until `discard`; a close from this
    end discards by itself, and the data path then raises `ClosedResourceError`.
    """

    __slots__ = ()

    def start(self, now: float) -> None:
        """Begin the handshake. Raises `HandshakeError` if that is impossible."""
        self._data.liveness.on_handshake_packet(now)
        if self._handshaking is not None:
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
        via: int = 0,
    ) -> int:
        """Take the short-header packets of this connection at `start`; return the bytes that are dealt with.

        The segments from `start` to `stop` may belong to others from some point on; at least one is ours.
        `via` is the local path by which they came.
        """
        first_size = min(segment_size, stop - start)
        path = self._path
        if self._closing is not None:
            self._repeat_close(first_size, address)
        elif address != path.address or via != path.via:
            if self._may_be_elsewhere(address):
                train = memoryview(buffer)[start:stop]
                return self._receive_elsewhere(train, first_size, segment_size, address, via, now)
        elif self._data.has_keys:
            consumed = self._open_train(buffer, start, stop, segment_size, now)
            if self._mobility is not None and not path.is_validated:
                self._mobility.on_received(path, consumed)
            return consumed
        elif self._handshaking is not None and not self.is_client:
            self._handshaking.keep_early(bytes(buffer[start : start + first_size]))
        return first_size

    def _open_train(
        self, buffer: bytearray | memoryview, start: int, stop: int, segment_size: int, now: float
    ) -> int:
        try:
            consumed = self._data.receive(buffer, start, stop - start, segment_size, now)
        except FAILURES as error:
            self.fail_by(error, now)
            return min(segment_size, stop - start)
        self._batch_at = now
        self.touch()
        return consumed or min(segment_size, stop - start)

    def _may_be_elsewhere(self, address: Address) -> bool:
        """The peer's address is fixed until HANDSHAKE_DONE, and a server's for ever (RFC 9000 §9)."""
        return self._handshaking is None and (not self.is_client or address == self._path.address)

    def _receive_elsewhere(
        self, train: memoryview, first_size: int, segment_size: int, address: Address, via: int, now: float
    ) -> int:
        """A train that did not come by the path in use is a batch of its own."""
        self._settle_batch()
        mobility = self._mobility
        if mobility is None or self.is_closed:
            return first_size
        before = self._data.progress()
        consumed = self._open_train(train, 0, len(train), segment_size, now)
        if self.is_closed:
            return consumed
        after = self._data.progress()
        try:
            path = None
            if after.packets > before.packets:  # else nothing authentic and new came: it may be anybody's
                local_id = bytes(train[1 : 1 + len(self.ids.local)])
                path = mobility.arrive(address, via, local_id, consumed, now)
            self._settle_batch(path or Path(address, is_validated=False, via=via))
            if path is not None and after.newest > before.newest and not self.is_closed:
                mobility.follow(path, now)
                self._path = mobility.path
        except FAILURES as error:
            self.fail_by(error, now)
        return consumed

    def receive_handshake(self, header: LongHeader, packet: bytes, address: Address, now: float) -> None:
        """Take a handshake packet; what is not the peer's, or too late, counts for nothing."""
        if self._closing is not None:
            self._repeat_close(len(packet), address)
        elif self._handshaking is not None and address == self.address:
            if header.version == c.VERSION_NEGOTIATION:
                error = self._handshaking.on_version_negotiation(decode_versions(header, packet))
                if error is not None and header.source_id == self.ids.first:
                    self._end(error, [], now)
                    self.data_path.close()
            else:
                self._take_handshake_packet(self._handshaking, header, packet, now)

    def _take_handshake_packet(
        self, handshaking: Handshaking, header: LongHeader, packet: bytes, now: float
    ) -> None:
        try:
            if not handshaking.receive(header, packet, now):
                return
            self._data.liveness.on_handshake_packet(now)
            self._follow_handshake(handshaking, now)
        except HandshakeError as error:
            self._fail_handshake(error, now)
        except FAILURES as error:
            self.fail_by(error, now)
        self.touch()

    def _repeat_close(self, size: int, address: Address) -> None:
        if self._closing is not None and address == self.address and self._closing.on_received(size):
            self.touch()

    # --- what came of them -------------------------------------------------------------------------------

    def _follow_handshake(self, handshaking: Handshaking, now: float) -> None:
        """Take the keys when they are due: a client after step 3, a server after step 4, which opens it."""
        keys, peer = handshaking.keys, handshaking.peer_parameters
        if self._data.has_keys or keys is None or peer is None:
            return
        remote_id = handshaking.space.packets.remote_id
        if self.is_client:
            self._install(keys, remote_id, peer)
        elif handshaking.is_verified:
            self._install(keys, remote_id, peer)
            self._data.control.send_handshake_done()
            self._data.confirm(now)
            self._open(handshaking)
            for packet in handshaking.take_early():
                self._data.receive(packet, 0, len(packet), len(packet), now)
            self._take_batch(now)

    def _install(self, keys: PacketKeys, remote_id: bytes, peer: Parameters) -> None:
        self._data.install(keys, remote_id, peer)
        self._mobility = Mobility(
            self.is_client,
            self._path,
            remote_id,
            self._data,
            self._id_table,
            self._random_bytes,
            self._events,
        )

    def _open(self, handshaking: Handshaking) -> None:
        peer = handshaking.handshake.peer
        self.peer = PeerIdentity() if peer is None else peer
        self.is_open = self._shutdown is None
        self._events.append(Opened(self.peer))
        if self._mobility is not None and handshaking.peer_parameters is not None:
            self._mobility.start(handshaking.peer_parameters.active_id_limit)

    def _settle_batch(self, path: Path | None = None) -> None:
        """What came since the last event or train is one batch, however many trains it was.

        It came by `path`, None for the one in use.
        """
        now, self._batch_at = self._batch_at, None
        if now is None or self._closing is not None:
            return
        try:
            self._take_batch(now, path)
        except FAILURES as error:
            self.fail_by(error, now)

    def _take_batch(self, now: float, path: Path | None = None) -> None:
        """See what the data path has for the user. Raises `ProtocolError`."""
        outcome = self._data.take_batch(now)
        if outcome.is_handshake_done and self._handshaking is not None:
            self._open(self._handshaking)  # step 5: a client is open
            self._handshaking = None
        self._events.extend(outcome.events)
        if outcome.path_frames and self._mobility is not None:
            self._mobility.take(outcome.path_frames, path or self._path, now)
            self._path = self._mobility.path
        if outcome.close is not None:
            self._end(ConnectionClosed(*outcome.close, remote=True), [], now)
        elif self._shutdown is not None:
            self._finish_shutdown(now)

    def next_event(self) -> Event | None:
        """Give the oldest event that was not given yet."""
        if self._batch_at is not None:
            self._settle_batch()
        return self._events.pop(0) if self._events else None

    # --- datagrams out ----------------------------------------------------------------------------------

    @property
    def is_steady(self) -> bool:
        """True while neither handshake nor close has anything to send: that can wait for nobody."""
        return self._handshaking is None and self._closing is None and self._shutdown is None

    def wants_transmit(self, now: float) -> bool:
        """False if `transmit` would surely give nothing: cheaper to ask."""
        if not self.is_steady:
            return True
        return self._data.wants_fill(now) or (self._mobility is not None and self._mobility.is_due)

    def transmit(self, buffer: bytearray | memoryview, now: float) -> Transmit | None:
        """Fill `buffer` (64 KiB or more, always the same object) with trains; None if nothing may go now."""
        self._rearm(self)
        if self._batch_at is not None:
            self._settle_batch()
        if self._shutdown is not None:
            self._finish_shutdown(now)
        if self._closing is not None:
            return self._closing.transmit(buffer)
        if self._handshaking is not None:
            try:
                size = self._handshaking.fill(buffer, now)
            except MemoryError as error:
                self.fail_by(error, now)
                return None
            if size:
                has_more = self._data.has_keys or self._handshaking.space.has_pending
                return Transmit(size, min(size, PACKET_SIZE), self.address, has_more)
            if not self.is_client and self.has_opened:
                self._handshaking = None  # step 4: the last handshake packet is sent
        return self._transmit_data(buffer, now) if self._data.has_keys else None

    def _transmit_data(self, buffer: bytearray | memoryview, now: float) -> Transmit | None:
        if self._mobility is not None and self._mobility.is_due:
            probe = self._mobility.fill(buffer, now)
            if probe is not None:
                return probe
        path = self._path
        limit = path.send_limit
        try:
            size, segment_size = self._data.fill(buffer, now, limit)
            if limit is not None:
                path.on_sent(size)
            has_more = self._data.has_more
            if self._data.is_key_exhausted:
                self.fail(c.AEAD_LIMIT_REACHED, "the packet key is used up", now)
                has_more = True
            elif not has_more and self.data_path.has_news:
                self._take_ready()
        except FAILURES as error:
            self.fail_by(error, now)
            return None
        return Transmit(size, segment_size, path.address, has_more, path.via) if size else None

    def _take_ready(self) -> None:
        """What sending made of the channels: writers may go on before the next ACK."""
        outcome = Outcome()
        self._data.take_ready(outcome)
        if outcome.events:
            self._events.extend(outcome.events)
            self.touch()

    # --- time ---------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When to call `handle_timeout`, and then `transmit`; None for never."""
        if self._closing is not None:
            return self._closing.deadline()
        if self._handshaking is None:
            at = self._data.deadline(self._path.send_limit)
            return at if self._mobility is None else earlier(at, self._mobility.deadline())
        times = [self._handshaking.deadline()]
        if self._data.has_keys:
            times.append(self._data.deadline())
        return min((at for at in times if at is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Do what is due; afterwards there may be events and something to send."""
        self.touch()
        if self._batch_at is not None:
            self._settle_batch()
        if self._closing is not None:
            self._closing.handle_timeout(now)
            return
        if self._data.liveness.is_silent(now):
            text = f"the peer was silent for {round(now - self._data.liveness.last_seen, 1):g} s"
            self._end(ConnectionClosed(c.IDLE_TIMEOUT, text), [], now, is_gone=True)
            return
        try:
            if self._handshaking is not None:
                self._handshaking.handle_timeout(now)
            if self._data.has_keys:
                self._data.handle_timeout(now, self._path.send_limit)
                self._take_batch(now)
            if self._mobility is not None:
                self._mobility.handle_timeout(now)
                self._path = self._mobility.path
        except HandshakeError as error:
            self._fail_handshake(error, now)
        except FAILURES as error:
            self.fail_by(error, now)

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
        return self._data.control.ping(now)

    def update_keys(self, now: float) -> bool:
        """Change keys with the next packet; it happens by itself every `key_update_interval` packets.

        False if it is too soon after the last time, if nothing that was sent since then is acknowledged
        yet (RFC 9001 §6.1), and under PLAINTEXT.
        """
        self.touch()
        return not self.is_closed and self._data.key_updates.begin(now)

    def migrate(self, via: int, now: float) -> None:
        """Go on by another local path, once the peer answered there: `PathMoved` or `PathFailed` will tell.

        Raises `ConnectionError` for a server's end (a server does not move, RFC 9000 §9) and unless the
        connection is open, `ValueError` for a local path that is in use.
        """
        if not (self.is_client and self.is_open) or self._mobility is None:
            raise ConnectionError("only the open connection of a client can move")
        self._mobility.try_path(via, now)
        self.touch()

    def give_up_path(self, via: int) -> None:
        """Forget a local path that is not in use: its socket is gone."""
        if self._mobility is not None and not self.is_closed:
            self._mobility.give_up(via)
            self.touch()
