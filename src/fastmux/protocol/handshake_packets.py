"""Long-header packets of one connection, sealed and opened (docs/wire-format.md §3.3, §5.2).

Owns: headers, protection and the list of frames that handshake packets may hold. May not know: what is
sent when, and what a frame means.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.initial_keys import initial_protection
from fastmux.protocol.retry import Retry, decode_retry
from fastmux.records import LongHeader

Frame = tuple[object, ...]

_ALLOWED: Final = frozenset(
    (
        c.FRAME_PADDING,
        c.FRAME_PING,
        c.FRAME_ACK,
        c.FRAME_HANDSHAKE,
        c.FRAME_PARAMETERS,
        c.FRAME_PATH_CHALLENGE,
        c.FRAME_PATH_RESPONSE,
        c.FRAME_CONNECTION_CLOSE,
    )
)
NOT_ELICITING: Final = frozenset((c.FRAME_PADDING, c.FRAME_ACK, c.FRAME_CONNECTION_CLOSE))
_FIXED_HEADER_SIZE: Final = 1 + 4 + 1 + 1 + 1 + c.PACKET_NUMBER_SIZE  # one byte of token length
_MAX_ONE_BYTE_VARINT: Final = 63


class OpenedPacket(NamedTuple):
    """An authentic handshake packet: its number and its frames, all of kinds that may be there."""

    packet_number: int
    frames: list[Frame]


class HandshakePackets:
    """Seals for the peer and opens what it sealed.

    A client's `remote_id` becomes what the server chose, its `token` what a Retry brought: `redirect`.
    Invariant: `overhead`, the bytes of a packet that are not frames, is that of these two.
    """

    def __init__(
        self, *, is_client: bool, version: int, local_id: bytes, remote_id: bytes, first_id: bytes
    ) -> None:
        self._first_id = first_id
        self._version = version
        self._local_id = local_id
        self.redirect(remote_id, b"")
        self._sending, self._receiving = initial_protection(first_id, is_client)

    def redirect(self, remote_id: bytes, token: bytes) -> None:
        """Send to this id from now on, with this token."""
        self.remote_id = remote_id
        self.token = token
        token_size = len(token) + (len(token) > _MAX_ONE_BYTE_VARINT)
        self.overhead = _FIXED_HEADER_SIZE + token_size + len(remote_id) + len(self._local_id) + c.TAG_SIZE

    def seal(self, packet_number: int, payload: bytes) -> bytes:
        """Give the whole packet."""
        header = core.encode_long_header(
            c.LONG_HANDSHAKE, self._version, self.remote_id, self._local_id, self.token, packet_number
        )
        return header + self._sending.seal(packet_number, header, payload)

    def open_retry(self, header: LongHeader, packet: bytes) -> Retry | None:
        """Read a Retry, at a client; None unless it answers our first packet."""
        if header.version != self._version:
            return None
        return decode_retry(header, packet, self._first_id, self._receiving)

    def open(self, header: LongHeader, packet: bytes, largest: int) -> OpenedPacket | None:
        """Open a packet whose header was parsed; `largest` is the largest number opened before, or -1.

        None for what does not authenticate, holds a frame that has no place here, or is larger or of more
        frames than a peer makes them: it is as if it never came. Anybody can seal these packets, so what one
        of them costs is bounded before it is opened, and before its frames are made.
        """
        if header.version != self._version or header.type != c.LONG_HANDSHAKE:
            return None
        if len(packet) > c.MAX_HANDSHAKE_PACKET_SIZE:
            return None
        number = core.decode_packet_number(header.packet_number, largest)
        payload = self._receiving.open(number, packet[: header.header_size], packet[header.header_size :])
        if payload is None:
            return None
        try:
            frames = core.parse_frames(payload, c.MAX_HANDSHAKE_FRAMES)
        except ProtocolError:
            return None
        if any(frame[0] not in _ALLOWED for frame in frames):
            return None
        return OpenedPacket(number, frames)
