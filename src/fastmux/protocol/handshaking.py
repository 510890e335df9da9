"""The handshake step by step, from the first packet to the packet keys (docs/wire-format.md §6).

Owns: the order of its steps, what binds the keys, the early packets and the reasons of a failure. May not
know: TLS (that is behind `Handshake`), how packets are numbered and repeated (`HandshakeSpace`), the
application space.
"""

from __future__ import annotations

from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import AuthenticationError, HandshakeError, ProtocolError
from fastmux.protocol.closing import encode_close
from fastmux.protocol.context import key_context
from fastmux.protocol.handshake import Handshake, PacketKeys
from fastmux.protocol.handshake_space import PACKET_SIZE, HandshakeSpace
from fastmux.protocol.parameters import Parameters, decode_parameters
from fastmux.protocol.path import Path
from fastmux.protocol.rates import TokenBucket
from fastmux.protocol.retry import NO_RETRY, Retry
from fastmux.records import LongHeader

_HANDSHAKE_FAILURE: Final = 40  # TLS alerts (RFC 8446 §6.2)
_BAD_CERTIFICATE: Final = 42
_CERTIFICATE_ALERTS: Final = frozenset((_BAD_CERTIFICATE, 43, 44, 45, 46, 48, 49, 116))


class Handshaking:
    """One end's handshake until it is over.

    `keys` and `peer_parameters` are set together, when the handshake is complete here; `is_verified` when the
    peer has also confirmed the context that the keys are bound to. A server sends and opens application
    packets only then (step 4), a client from `keys` on, and is done with HANDSHAKE_DONE (step 5).
    """

    def __init__(
        self,
        handshake: Handshake,
        space: HandshakeSpace,
        path: Path,
        *,
        is_client: bool,
        parameters: bytes,
        first_id: bytes,
        retry: Retry = NO_RETRY,
    ) -> None:
        """`retry` is what a server sent to this client before, and got back: it proves the path."""
        self.space = space
        self.keys: PacketKeys | None = None
        self.peer_parameters: Parameters | None = None
        self._handshake = handshake
        self._path = path
        self._is_client = is_client
        self._parameters = parameters
        self._first_id = first_id
        self._retry = retry
        if retry.token:
            path.validate()
        self._peer_blob: bytes | None = None
        self._context = b""
        self._unproved: TokenBucket | None = None
        self._timeout: float | None = None
        self._expires_at: float | None = None
        self._hint: tuple[int, str] | None = None
        self._hint_at = 0.0
        self._early: list[bytes] = []
        self._early_size = 0

    @property
    def is_verified(self) -> bool:
        """True once the peer confirmed the context."""
        return self.keys is not None and self._handshake.peer_context == self._context

    @property
    def handshake(self) -> Handshake:
        """Who authenticates the two ends."""
        return self._handshake

    def start(self, timeout: float | None, now: float, challenge: bytes = b"") -> None:
        """Begin. `challenge` are the 8 bytes of a server's PATH_CHALLENGE.

        Raises `HandshakeError` if the handshake cannot begin.
        """
        self._timeout = timeout
        self._expires_at = None if timeout is None else now + timeout
        self._unproved = TokenBucket(c.HANDSHAKE_PACKET_BURST, c.HANDSHAKE_PACKET_RATE, now)
        flight = self.space.flight
        flight.add_frame(core.encode_frame((c.FRAME_PARAMETERS, self._parameters)))
        if challenge:
            self._path.challenge(challenge)
            flight.add_frame(core.encode_frame((c.FRAME_PATH_CHALLENGE, challenge)))
        self._handshake.start()
        self._flush()

    # --- packets ------------------------------------------------------------------------------------

    def receive(self, header: LongHeader, packet: bytes, now: float) -> bool:
        """Take a HANDSHAKE or Retry packet from the peer's address; False if it counts for nothing.

        Raises `HandshakeError` or `ProtocolError` if the handshake has failed; what is to be said about it is
        in the flight then.
        """
        if header.type == c.LONG_RETRY:
            return self._begin_again(header, packet)
        if not self._is_from_peer(header) or not self._is_within_rate(now):
            return False
        arrival = self.space.receive(header, packet, now)
        if arrival is None:
            return False
        packets = self.space.packets
        if header.source_id != packets.remote_id:  # a client learns it with the first packet
            packets.redirect(header.source_id, packets.token)
        self._path.on_received(len(packet))
        for response in arrival.path_responses:
            self._path.on_response(response)
        if arrival.parameters is not None:
            self._take_parameters(arrival.parameters)
        if arrival.data:
            self._hint = None  # the handshake goes on: that is better than a hint
            self._feed(arrival.data)
        self._advance()
        if arrival.close is not None and self._hint is None:
            self._hint = arrival.close
            self._hint_at = now + c.CLOSE_REPEAT_PTOS * self.space.pto()
        return True

    def _is_from_peer(self, header: LongHeader) -> bool:
        """The peer's ids are fixed from its first packet, be it a Retry (a client learns them with it)."""
        if len(header.source_id) < c.MIN_CONNECTION_ID_SIZE:
            return False
        is_first = self._is_client and not self._has_answer
        return is_first or header.source_id == self.space.packets.remote_id

    def _is_within_rate(self, now: float) -> bool:
        """Somebody whose address nobody has proved may send so many packets; those above are as if lost."""
        return self._path.is_validated or self._unproved is None or self._unproved.take(now)

    @property
    def _has_answer(self) -> bool:
        """True once the server has said anything authentic."""
        return self.space.has_received or bool(self._retry.token)

    def _begin_again(self, header: LongHeader, packet: bytes) -> bool:
        """A client does as the first Retry says, unless the handshake goes on already."""
        if not self._is_client or self._has_answer:
            return False
        retry = self.space.packets.open_retry(header, packet)
        if retry is None:
            return False
        self._retry = retry
        self.space.begin_again(retry)
        return True

    def keep_early(self, packet: bytes) -> bool:
        """Keep an application packet that came before the keys; False if there is no room."""
        size = self._early_size + len(packet)
        if len(self._early) >= c.MAX_EARLY_PACKETS or size > c.MAX_EARLY_SIZE:
            return False
        self._early.append(packet)
        self._early_size = size
        return True

    @property
    def held_size(self) -> int:
        """Bytes kept of the peer, or for it until it confirms them; what TLS holds is not among them."""
        return self._early_size + len(self._peer_blob or b"") + self.space.held_size

    def take_early(self) -> list[bytes]:
        """Give the packets that waited, and forget them."""
        early, self._early, self._early_size = self._early, [], 0
        return early

    def fill(self, buffer: bytearray | memoryview, now: float) -> int:
        """Fill a train of handshake packets for the peer and return its size.

        A server that is done says so by HANDSHAKE_DONE: that opens only under keys bound to the same context,
        and stands for the ACK of what led to it.
        """
        if not self._is_client and self.is_verified:
            self.space.waive_ack()
        if not self.space.has_pending:
            return 0
        limit = self._path.send_limit
        size = self.space.fill(buffer, len(buffer) if limit is None else limit, now)
        self._path.on_sent(size)
        return size

    def on_version_negotiation(self, versions: tuple[int, ...]) -> HandshakeError | None:
        """The server lists its versions (§3.4): gives the error that ends the attempt, None to ignore it."""
        version = self._handshake.version
        if not self._is_client or self._has_answer or version in versions:
            return None
        spoken = ", ".join(f"{spoken:#x}" for spoken in versions) or "none"
        text = f"the server does not speak version {version:#x} (it speaks: {spoken})"
        if c.VERSION_PLAINTEXT in (version, *versions):
            text += ": one end is set to PLAINTEXT, the other to TLS"
        return HandshakeError(text)

    def last_packets(self, frame_type: int, code: int, reason: str, now: float) -> list[bytes]:
        """Seal what the peer may lack (an alert, most of all) and a close, for this is the end."""
        if frame_type == c.FRAME_APPLICATION_CLOSE:  # the application's words are not for this space
            close = encode_close(c.FRAME_CONNECTION_CLOSE, c.CANCELLED, "")
        else:
            close = encode_close(frame_type, code, reason)
        limit = self._path.send_limit
        return self.space.last_packets(close, c.MAX_TRAIN_SIZE if limit is None else limit, now)

    # --- time ---------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When to call `handle_timeout`."""
        times = [self._expires_at, self.space.deadline(self._can_send())]
        if self._hint is not None:
            times.append(self._hint_at)
        return min((at for at in times if at is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Probe, or raise `HandshakeError` if time is over or nothing better than the peer's hint came."""
        if self._hint is not None and now >= self._hint_at:
            raise _refusal(*self._hint)
        if self._expires_at is not None and now >= self._expires_at:
            raise HandshakeError(self._explain_timeout())
        self.space.handle_timeout(now, self._can_send())

    def _can_send(self) -> bool:
        limit = self._path.send_limit
        return limit is None or limit >= PACKET_SIZE

    # --- steps --------------------------------------------------------------------------------------

    def _take_parameters(self, blob: bytes) -> None:
        if len(blob) > c.MAX_PARAMETERS_SIZE:  # before it is kept: nobody has proved anything yet
            raise ProtocolError(c.PARAMETER_ERROR, f"more than {c.MAX_PARAMETERS_SIZE} bytes of parameters")
        if self._peer_blob is not None and blob != self._peer_blob:
            raise ProtocolError(c.PARAMETER_ERROR, "the peer changed its parameters")
        self._peer_blob = blob

    def _feed(self, data: bytes) -> None:
        try:
            self._handshake.receive(data)
        finally:
            self._flush()  # after an error too: an alert must go out

    def _flush(self) -> None:
        data = self._handshake.send()
        if data:
            self.space.flight.write(data)

    def _advance(self) -> None:
        if self.keys is None and self._handshake.is_complete and self._peer_blob is not None:
            self._complete(self._peer_blob)
        confirmed = self._handshake.peer_context
        if self.keys is not None and confirmed is not None and confirmed != self._context:
            if not self._is_client:
                self._confirm()  # so that the client can tell, too, what is wrong
            raise HandshakeError(
                "the two ends do not agree on their parameters: something on the way changed them"
            )

    def _complete(self, peer_blob: bytes) -> None:
        self.peer_parameters = decode_parameters(peer_blob)
        blobs = (self._parameters, peer_blob)
        client_blob, server_blob = blobs if self._is_client else blobs[::-1]
        version = self._handshake.version
        self._context = key_context(
            version,
            (version,),
            client_blob,
            server_blob,
            self._first_id,
            retry_source_id=self._retry.source_id,
            token=self._retry.token,
        )
        keys = self._handshake.packet_keys(self._context)
        if self._is_client:
            self._confirm()
        else:
            self._path.validate()  # nobody but the real client could have finished
        self.keys = keys

    def _confirm(self) -> None:
        self._handshake.confirm(self._context)
        self._flush()

    def _explain_timeout(self) -> str:
        peer, seconds = self._path.address[:2], f"{self._timeout:g} s"
        if self._hint is not None:
            return str(_refusal(*self._hint))
        if not self._has_answer:
            return f"no answer from {peer} within {seconds}"
        if self._peer_blob is None:
            return f"{peer} answered, but its parameters did not arrive within {seconds}"
        if self.keys is None:
            return f"{peer} answered, but its handshake did not arrive whole within {seconds}"
        return f"{peer} did not confirm the handshake within {seconds}"


def failure_of(error: HandshakeError) -> tuple[int, str]:
    """Give the code and reason of the CONNECTION_CLOSE for a failed handshake.

    The alert itself travels in TLS; this is the hint for a peer that cannot read it. Why exactly it failed is
    this end's business: the peer hears the kind of failure only.
    """
    if isinstance(error, AuthenticationError):
        return c.HANDSHAKE_FAILED + _BAD_CERTIFICATE, "authentication failed"
    return c.HANDSHAKE_FAILED + _HANDSHAKE_FAILURE, "handshake failed"


def _refusal(code: int, reason: str) -> HandshakeError:
    """The error of a peer that closed the handshake (nobody has proved that it was the peer)."""
    text = f"the peer closed the handshake (code {code:#x})" + (f": {reason}" if reason else "")
    if code - c.HANDSHAKE_FAILED in _CERTIFICATE_ALERTS:
        return AuthenticationError(text)
    return HandshakeError(text)
