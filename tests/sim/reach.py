"""How much a server sends to an address that has not proved to be real (I5; RFC 9000 §8.1), from outside.

Owns: bytes by address, and which addresses have proved it, by what was sent and what arrived. May not know:
what the server thinks of it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from fastmux import constants as c
from fastmux.protocol.events import Address
from fastmux.protocol.handshake_packets import HandshakePackets
from fastmux.records import LongHeader
from sim.allowance import require

FACTOR: Final = 3


class Reach:
    """Invariant: `_validated` are the addresses from which a token that was sent there came back, or to which
    a challenge went whose answer came (from anywhere), and that of the handshake once application packets go.
    """

    def __init__(self) -> None:
        self._received: Counter[Address] = Counter()
        self._sent: Counter[Address] = Counter()
        self._validated: set[Address] = set()
        self._challenges: dict[bytes, Address] = {}
        self._answers: dict[bytes, list[bytes]] = {}  # of the client's datagrams
        self._tokens: dict[bytes, Address] = {}
        self._issued: dict[bytes, float] = {}  # tokens, when they went
        self._were_timely = False  # one of them came back while it was good
        self._tokens_in: dict[bytes, bytes] = {}  # of the client's datagrams
        self._first_id: bytes | None = None
        self._has_keys = False

    def on_sent(self, target: Address, size: int, *, is_trusted: bool) -> None:
        """The server sent so many bytes."""
        self._sent[target] += size
        if is_trusted and target not in self._validated:
            sent, received = self._sent[target], self._received[target]
            require(sent <= FACTOR * received, f"I5: {sent} bytes to {target}, which sent {received}")

    @property
    def were_tokens_late(self) -> bool:
        """True if tokens were given, and none came back before it had expired: that handshake is lost."""
        return bool(self._issued) and not self._were_timely

    def on_received(self, source: Address, data: bytes, now: float) -> None:
        """Something reached the server from there."""
        self._received[source] += len(data)
        token = self._tokens_in.get(data, b"") if self._tokens else b""
        if token and self._tokens.get(token) == source:
            self._validated.add(source)
            self._were_timely |= now <= self._issued[token] + c.RETRY_TOKEN_LIFETIME
        for answer in self._answers.get(data, ()):
            if answer in self._challenges:
                self._validated.add(self._challenges[answer])

    def on_first_packet(self, target: Address) -> None:
        """An application packet: the first says that the handshake is over, and its address real."""
        if not self._has_keys:
            self._has_keys = True
            self._validated.add(target)

    def on_path_frame(self, role: int, target: Address, data: bytes, frame: Any) -> None:
        """A challenge or an answer is in a datagram that an end sent."""
        kind, value = frame
        if role == c.ROLE_SERVER and kind == c.FRAME_PATH_CHALLENGE:
            self._challenges[value] = target
        elif role == c.ROLE_CLIENT and kind == c.FRAME_PATH_RESPONSE:
            self._answers.setdefault(data, []).append(value)

    def on_handshake_packet(
        self, role: int, target: Address, header: LongHeader, data: bytes, now: float
    ) -> None:
        """An end sent a long header."""
        if role == c.ROLE_CLIENT and self._first_id is None:
            self._first_id = header.destination_id
        if role == c.ROLE_SERVER and header.type == c.LONG_RETRY:
            token = data[header.header_size : -c.TAG_SIZE]
            self._tokens[token], self._issued[token] = target, now
        if header.type != c.LONG_HANDSHAKE or self._first_id is None:
            return
        if role == c.ROLE_CLIENT and header.token:
            self._tokens_in[data] = header.token
        packets = HandshakePackets(
            is_client=role == c.ROLE_SERVER,  # who opens it
            version=header.version,
            local_id=b"",
            remote_id=b"",
            first_id=self._first_id,
        )
        opened = packets.open(header, data, header.packet_number)
        for frame in () if opened is None else opened.frames:
            if frame[0] in (c.FRAME_PATH_CHALLENGE, c.FRAME_PATH_RESPONSE):
                self.on_path_frame(role, target, data, frame)
