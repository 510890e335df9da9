"""The handshake of PLAINTEXT: two random numbers, no proof (docs/wire-format.md, section 5.3).

Owns: its bytes and its IVs. May not know: TLS; where the random bytes come from.
"""

from __future__ import annotations

import hashlib
from typing import Final

from fastmux.constants import IV_SIZE, SUITE_NULL, VERSION_PLAINTEXT
from fastmux.exceptions import HandshakeError
from fastmux.protocol.handshake import PacketKeys, PeerIdentity
from fastmux.security.confirmation import ConfirmationReader, encode_confirmation

HELLO_MAGIC: Final = b"fmxplain"
RANDOM_SIZE: Final = 32
_HELLO_SIZE: Final = len(HELLO_MAGIC) + RANDOM_SIZE
_CLIENT_LABEL: Final = b"fastmux plain client"
_SERVER_LABEL: Final = b"fastmux plain server"
_TLS_RECORDS: Final = (b"\x15", b"\x16")  # an alert, a handshake record


class PlaintextHandshake:
    """One end of a handshake without encryption or identity (the `Handshake` interface).

    Invariant: `_hello` is a prefix of the peer's hello; `_peer_random` is set when it is whole,
    and what comes after it is the peer's confirmation.
    """

    def __init__(self, is_client: bool, random: bytes) -> None:
        """`random`: 32 bytes, never used before. Raises ValueError for another size."""
        if len(random) != RANDOM_SIZE:
            raise ValueError(f"a plaintext handshake takes {RANDOM_SIZE} random bytes, not {len(random)}")
        self._is_client = is_client
        self._random = random
        self._peer_random: bytes | None = None
        self._hello = b""
        self._out = bytearray()
        self._confirmation = ConfirmationReader()
        self._is_closed = False

    @property
    def is_complete(self) -> bool:
        """True once both random numbers are known here."""
        return self._peer_random is not None

    @property
    def peer(self) -> PeerIdentity | None:
        """An anonymous identity, None until complete."""
        return PeerIdentity() if self.is_complete else None

    @property
    def version(self) -> int:
        """The PLAINTEXT version of the wire."""
        return VERSION_PLAINTEXT

    @property
    def peer_context(self) -> bytes | None:
        """The context that the peer confirmed, None until it came."""
        return self._confirmation.context

    def start(self) -> None:
        """Begin; a client's hello is in `send()` afterwards."""
        if self._is_client:
            self._out += HELLO_MAGIC + self._random

    def receive(self, data: bytes) -> None:
        """Take the peer's next bytes; after `close()` or an error they are dropped.

        Raises HandshakeError for anything that is not a plaintext handshake.
        """
        if self._is_closed or not data:
            return
        try:
            self._take(bytes(data))
        except HandshakeError:
            self.close()
            raise

    def _take(self, data: bytes) -> None:
        if self._peer_random is None:
            data = self._take_hello(data)
        if self._peer_random is not None:
            self._confirmation.feed(data)

    def _take_hello(self, data: bytes) -> bytes:
        """Take the hello's part of `data` and return the rest."""
        room = _HELLO_SIZE - len(self._hello)
        self._hello += data[:room]
        start = self._hello[: len(HELLO_MAGIC)]
        if start != HELLO_MAGIC[: len(start)]:
            if self._hello.startswith(_TLS_RECORDS):
                raise HandshakeError("the peer is set to TLS, this end to PLAINTEXT: set both to the same")
            raise HandshakeError("the peer does not speak the plaintext handshake of fastmux")
        if len(self._hello) == _HELLO_SIZE:
            self._peer_random = self._hello[len(HELLO_MAGIC) :]
            if not self._is_client:
                self._out += HELLO_MAGIC + self._random
        return data[room:]

    def send(self) -> bytes:
        """Give the bytes to send and forget them; b"" if there are none."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def packet_keys(self, context: bytes) -> PacketKeys:
        """Give the null suite with this connection's IVs, which only tell strays from its packets.

        Raises HandshakeError before completion.
        """
        if self._peer_random is None:
            raise HandshakeError("the handshake is not complete")
        mine, theirs = self._random, self._peer_random
        randoms = mine + theirs if self._is_client else theirs + mine
        client_iv, server_iv = (
            hashlib.sha256(label + randoms + context).digest()[:IV_SIZE]
            for label in (_CLIENT_LABEL, _SERVER_LABEL)
        )
        if self._is_client:
            return PacketKeys(SUITE_NULL, b"", client_iv, b"", server_iv)
        return PacketKeys(SUITE_NULL, b"", server_iv, b"", client_iv)

    def confirm(self, context: bytes) -> None:
        """Queue the confirmation of `context` (32 bytes).

        Raises HandshakeError before completion.
        """
        if not self.is_complete:
            raise HandshakeError("the handshake is not complete")
        self._out += encode_confirmation(context)

    def close(self) -> None:
        """Ignore what still comes; what waits in `send()` stays."""
        self._is_closed = True
