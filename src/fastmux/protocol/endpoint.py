"""All connections of one socket, sans-IO: demultiplexing, admission, one timer.

Owns: the connection table, who is admitted, strays and what answers them. May not know: what happens inside a
connection; sockets, clocks and random numbers, which come from outside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import HandshakeError, ProtocolError
from fastmux.protocol.admission import Admission, Verdict
from fastmux.protocol.answers import Answers
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection import Connection
from fastmux.protocol.connection_ids import reset_token
from fastmux.protocol.events import Address, Transmit
from fastmux.protocol.handshake import Handshake
from fastmux.protocol.handshake_packets import HandshakePackets
from fastmux.protocol.negotiation import encode_version_negotiation
from fastmux.protocol.observed import ObservedConnection
from fastmux.protocol.observer import Subject
from fastmux.protocol.retry import NO_RETRY, Retry, encode_retry
from fastmux.protocol.stateless_reset import ResetLimit, ResetTokens, encode_reset
from fastmux.protocol.surroundings import Ids, Surroundings
from fastmux.protocol.timers import Timers
from fastmux.records import LongHeader

Added = TypeVar("Added", bound=Connection)

_RESET_KEY_SIZE: Final = 32
_FIRST_ID_SIZE: Final = 8  # of the id that a client makes up for a server it does not know
_COUNTERS: Final = (
    "datagrams_received",
    "foreign",
    "malformed",
    "stray",
    "too_short",
    "unauthentic",
    "unknown_version",
    "bad_token",
    "refused",
    "retried",
    "displaced",
    "accepted",
    "connected",
    "resets_sent",
    "resets_received",
)


class Endpoint:
    """Connections by connection id. It may accept, connect, or both on one socket.

    `accept` makes the server's side of a handshake, or refuses by `HandshakeError`; without it the endpoint
    only connects. `random_bytes(n)` gives n unpredictable bytes.

    Invariant: every connection that is not over has its local ids in `_by_id`, a server's also its client's
    first id with the address of the handshake in `_by_first_id`, its peer's reset tokens in `_reset_tokens`,
    and is watched by `_timers`; there are `connections` of them. `touched` and `accepted` are what the next
    `take_touched` and `take_accepted` give, `answers` what `transmit` gives. A datagram that is ignored, or
    answered with a Retry or a reset, leaves nothing behind but a count and a place in a bounded table.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        random_bytes: Callable[[int], bytes],
        accept: Callable[[], Handshake] | None = None,
    ) -> None:
        self._configuration = configuration
        self._random_bytes = random_bytes
        self._accept = accept
        self._id_end = 1 + configuration.connection_ids.size  # of the destination id of a short header
        self._version: int | None = None  # that `accept` serves, known with the first handshake it makes
        self._reset_key = configuration.reset_key or random_bytes(_RESET_KEY_SIZE)
        self.connections = 0
        self._by_id: dict[bytes, Connection] = {}
        self._by_first_id: dict[tuple[Address, bytes], Connection] = {}
        self._reset_tokens: ResetTokens[Connection] = ResetTokens(random_bytes(_RESET_KEY_SIZE))
        self._reset_limit = ResetLimit()
        self._admission: Admission[Connection] = Admission(configuration, random_bytes)
        self._gate = self._admission.gate
        self._timers: Timers[Connection] = Timers()
        self.touched: dict[Connection, None] = {}
        self.accepted: list[Connection] = []
        self.answers = Answers()
        self._surroundings = Surroundings(configuration, random_bytes, self.touch, self._timers.changed, self)
        self._counters: Counter[str] = Counter(dict.fromkeys(_COUNTERS, 0))

    def counters(self) -> dict[str, int]:
        """What became of datagrams and knocks, since the start."""
        return dict(self._counters)

    def connect(self, address: Address, handshake: Handshake, now: float) -> Connection:
        """Begin a connection to a server. Raises `HandshakeError` if the handshake cannot begin."""
        first_id = self._random_bytes(_FIRST_ID_SIZE)
        ids = Ids(local=self._unused_id(), remote=first_id, first=first_id)
        connection = self._make(True, address, handshake, ids)
        connection.start(now)
        self._register(connection)
        self._counters["connected"] += 1
        return connection

    def add(self, make: Callable[[Surroundings], Added]) -> Added:
        """Take in a connection that begins without a handshake; its local id has this endpoint's size."""
        connection = make(self._surroundings)
        self._register(connection)
        return connection

    def close(self, code: int, reason: str, now: float) -> None:
        """Close every connection at once, with a code of the application."""
        for connection in set(self._by_id.values()):
            connection.close(code, reason, now)
            self._settle(connection)

    def abandon(self, error: ConnectionError, now: float) -> None:
        """End every connection with this error, without a word to its peer."""
        for connection in set(self._by_id.values()):
            connection.abandon(error, now)
            self._settle(connection)

    # --- datagrams in ----------------------------------------------------------------------------------

    def receive(
        self,
        buffer: bytearray | memoryview,
        size: int,
        segment_size: int,
        address: Address,
        now: float,
        via: int = 0,
    ) -> None:
        """Take a train: `size` bytes of `buffer`, datagrams of `segment_size` but for a shorter last one.

        `via` is the local path (which socket) by which it came. Nothing that a peer can send makes it raise.
        """
        segment_size = max(segment_size, 1)
        start = 0
        while start < size:
            stop = min(start + segment_size, size)
            first = buffer[start]
            if first & c.FORM_LONG:
                self._receive_long(bytes(buffer[start:stop]), address, now)
                self._counters["datagrams_received"] += 1
                start = stop
                continue
            connection = None
            end = start + self._id_end
            if first & c.FIXED_BIT and end <= stop:
                connection = self._by_id.get(bytes(buffer[start + 1 : end]))
            if connection is None:
                consumed = stop - start
                if first & c.FIXED_BIT:
                    self._on_stray(bytes(buffer[start:stop]), address, now)
                else:
                    self._counters["foreign"] += 1
            else:
                consumed = connection.receive(buffer, start, size, segment_size, address, now, via)
                if self._gate.guests:
                    self._settle(connection)
            self._counters["datagrams_received"] += -(-consumed // segment_size)
            start += consumed

    def _on_stray(self, packet: bytes, address: Address, now: float) -> None:
        """A short header that leads nowhere: a stateless reset, or for a connection that was lost here."""
        owner = self._reset_tokens.find(packet)
        if owner is not None and owner.address == address:
            self._counters["resets_received"] += 1
            owner.on_stateless_reset(now)
            return
        self._counters["stray"] += 1
        if self._accept is None or self._id_end > len(packet) or not self.answers.has_room:
            return  # an endpoint that only connects outlives no connection of anybody's
        if self._reset_limit.take(address, len(packet), now):
            token = self.reset_token(packet[1 : self._id_end])
            self.answers.add(encode_reset(token, len(packet), self._random_bytes), address)
            self._counters["resets_sent"] += 1

    def _receive_long(self, packet: bytes, address: Address, now: float) -> None:
        try:
            header = core.parse_long_header(packet, 0, len(packet))
        except ProtocolError:
            self._counters["malformed"] += 1
            return
        connection = self._by_id.get(header.destination_id)
        if connection is None:
            connection = self._by_first_id.get((address, header.destination_id))
        if connection is None:
            self._knock(header, packet, address, now)
        elif not connection.is_client and len(packet) < c.MIN_INITIAL_DATAGRAM_SIZE:
            self._counters["too_short"] += 1
        else:
            connection.receive_handshake(header, packet, address, now)
            self._settle(connection)

    # --- admission ----------------------------------------------------------------------------------

    def _knock(self, header: LongHeader, packet: bytes, address: Address, now: float) -> None:
        """Somebody who is not known yet: ignore, answer or admit."""
        reason = self._reason_to_ignore(header, packet, address)
        if reason is None:
            try:
                reason = self._consider(header, packet, address, now)
            except MemoryError:
                reason = "refused"
        self._counters[reason] += 1

    def _reason_to_ignore(self, header: LongHeader, packet: bytes, address: Address) -> str | None:
        reason = None
        if self._accept is None or header.version == c.VERSION_NEGOTIATION:
            reason = "stray"
        elif len(packet) < c.MIN_INITIAL_DATAGRAM_SIZE:
            reason = "too_short"
        elif header.version != self._served_version(self._accept):
            self._answer_version(header, address)
            reason = "unknown_version"
        elif header.type != c.LONG_HANDSHAKE or (
            not header.token and len(header.destination_id) < _FIRST_ID_SIZE
        ):
            reason = "stray"
        elif len(header.source_id) < c.MIN_CONNECTION_ID_SIZE:
            reason = "malformed"
        return reason

    def _served_version(self, accept: Callable[[], Handshake]) -> int:
        if self._version is None:
            self._version = accept().version
        return self._version

    def _answer_version(self, header: LongHeader, address: Address) -> None:
        if self.answers.has_room and self._version is not None:
            random_byte = self._random_bytes(1)[0]
            self.answers.add(encode_version_negotiation(header, (self._version,), random_byte), address)

    def _consider(self, header: LongHeader, packet: bytes, address: Address, now: float) -> str:
        """A client's first packet, in form at least: see whether it may come in."""
        first_id, retry = header.destination_id, NO_RETRY
        if header.token:
            retry = Retry(header.destination_id, header.token)
            proved_id = self._admission.first_id(retry.token, address, retry.source_id, now)
            if proved_id is None:
                return "bad_token"
            first_id = proved_id
        verdict = self._admission.judge(address, bool(retry.token), self.connections, now)
        if verdict is Verdict.ADMIT:
            local_id = retry.source_id or self._unused_id()
            return self._admit(header, packet, address, Ids(local_id, header.source_id, first_id, retry), now)
        if verdict is Verdict.RETRY and self.answers.has_room:
            retry = self._admission.make_retry(address, first_id, self._unused_id(), now)
            self.answers.add(encode_retry(header, retry), address)
            return "retried"
        return "refused"

    def _admit(self, header: LongHeader, packet: bytes, address: Address, ids: Ids, now: float) -> str:
        """Open the packet before anything is made for it; then make a connection of it."""
        assert self._accept is not None and self._version is not None
        packets = HandshakePackets(
            is_client=False,
            version=self._version,
            local_id=ids.local,
            remote_id=ids.remote,
            first_id=ids.first,
        )
        if packets.open(header, packet, -1) is None:
            return "unauthentic"
        if ids.retry.token and not self._admission.spend(ids.retry.token, now):
            return "refused"
        try:
            connection = self._make(False, address, self._accept(), ids)
            connection.start(now)
        except HandshakeError:
            return "refused"
        self._register(connection)
        self._by_first_id[address, ids.first] = connection
        yielding = self._admission.enter(connection, address, ids.retry.token, now)
        if yielding is not None:
            self._counters["displaced"] += 1
            yielding.abandon(HandshakeError("its place was given to another network"), now)
        connection.receive_handshake(header, packet, address, now)
        self._settle(connection)
        return "accepted"

    def _make(self, is_client: bool, address: Address, handshake: Handshake, ids: Ids) -> Connection:
        observe = self._configuration.observe
        if observe is not None:
            observer = observe(Subject(is_client, handshake.version, address, ids.local, ids.first))
            if observer is not None:
                return ObservedConnection(is_client, address, handshake, ids, self._surroundings, observer)
        return Connection(is_client, address, handshake, ids, self._surroundings)

    def _unused_id(self) -> bytes:
        while True:
            local_id = self._configuration.connection_ids.make(self._random_bytes)
            if local_id not in self._by_id:
                return local_id

    # --- the table ----------------------------------------------------------------------------------

    def new_id(self, known: bytes) -> bytes:
        """Make an unused id and let it lead to the connection that `known` leads to."""
        made = self._unused_id()
        self._by_id[made] = self._by_id[known]
        return made

    def drop_id(self, local_id: bytes) -> None:
        """Let this id lead nowhere."""
        self._by_id.pop(local_id, None)

    def reset_token(self, local_id: bytes) -> bytes:
        """The 16 bytes that a stateless reset for this id ends in."""
        return reset_token(self._reset_key, local_id)

    def watch_token(self, token: bytes, known: bytes) -> None:
        """Let a stateless reset with this token of the peer's end the connection that `known` leads to."""
        self._reset_tokens.watch(token, self._by_id[known])

    def forget_token(self, token: bytes) -> None:
        """Let this token of a peer's mean nothing any more."""
        self._reset_tokens.forget(token)

    def _register(self, connection: Connection) -> None:
        self._by_id[connection.ids.local] = connection
        self._timers.add(connection)
        self.connections += 1

    def _settle(self, connection: Connection) -> None:
        """Count a connection as whole, or as gone, if it has become so."""
        if not self._gate.is_empty and connection in self._gate:
            if connection.has_opened:
                self._gate.leave(connection)
                self.accepted.append(connection)
            elif connection.is_closed:
                self._gate.leave(connection)

    def _forget(self, connection: Connection) -> None:
        for local_id in connection.local_ids:
            self.drop_id(local_id)
        for token in connection.reset_tokens:
            self.forget_token(token)
        self._by_first_id.pop((connection.origin, connection.ids.first), None)
        self.connections -= 1
        self._gate.leave(connection)
        self._timers.discard(connection)

    def forsake(self) -> Sequence[Connection]:
        """In a child of fork: let go of all connections, which are the parent's, and give them once more."""
        connections = list(dict.fromkeys(self._by_id.values()))
        for connection in connections:
            self._forget(connection)
        self.answers = Answers()
        self.accepted.clear()
        self.touched.clear()
        return connections

    # --- for whoever drives it ---------------------------------------------------------------------------

    def touch(self, connection: Connection) -> None:
        """The connection may have something to send or to say: `take_touched` will name it."""
        if connection not in self.touched:  # else its turn comes, and asks for its deadline, anyway
            self.touched[connection] = None
            self._timers.changed(connection)

    def take_touched(self) -> Sequence[Connection]:
        """Give the connections touched since the last call, each once."""
        if not self.touched:
            return ()
        touched = list(self.touched)
        self.touched.clear()
        return touched

    def take_accepted(self) -> Sequence[Connection]:
        """Give the connections accepted here that opened since the last call."""
        if not self.accepted:
            return ()
        accepted, self.accepted = self.accepted, []
        return accepted

    def transmit(self, buffer: bytearray | memoryview, now: float) -> Transmit | None:
        """Give an answer of the endpoint itself, usually None."""
        return self.answers.transmit(buffer)

    def deadline(self) -> float | None:
        """When to call `handle_timeout`; None for never. It may be early, never late."""
        return self._timers.deadline()

    def handle_timeout(self, now: float) -> None:
        """Let the connections that are due act, and forget those that are over. Then drive who is touched."""
        for connection in self._timers.take_due(now):
            connection.handle_timeout(now)
            self._settle(connection)
            if connection.is_over(now):
                self._forget(connection)
