"""The interface between the sans-IO connection and whatever authenticates its two ends.

Owns: the shape of a handshake (bytes in, bytes out, then keys). May not know: TLS, sockets, clocks.
`fastmux.security` implements it over TLS 1.3; `fastmux.protocol.plaintext` without encryption; the tests
script it, so that a seed replays a run bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, Protocol, TypeAlias

# Takes the secrets of a key phase, by the number of key updates before it: `log(count, send, receive)`.
SecretLog: TypeAlias = Callable[[int, bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """Who the other end proved to be, fixed when the handshake completes.

    `common_name` is the certificate subject's CN or ""; `dns_names`, `ip_addresses` and `uris` are its
    subject alternative names; `pin` is `sha256//` and the base64 SHA-256 of its public key (RFC 7469 §2.4);
    `certificate` is the DER certificate. An anonymous peer (PLAINTEXT) has empty fields.
    """

    common_name: str = ""
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    pin: str = ""
    certificate: bytes = b""


@dataclass(frozen=True, slots=True)
class PacketKeys:
    """Keys of one connection, seen from this end; none shows in its repr, and it is not copied or pickled.

    `suite` is one of `constants.SUITE_*`; keys have that suite's key length, IVs are 12 bytes.
    `*_secret` (length of the suite's hash) are what a key update ratchets. `log` is told each later phase's,
    where somebody wants to read captured packets: None almost always.
    """

    suite: int
    send_key: bytes = field(repr=False)
    send_iv: bytes = field(repr=False)
    receive_key: bytes = field(repr=False)
    receive_iv: bytes = field(repr=False)
    send_secret: bytes = field(default=b"", repr=False)
    receive_secret: bytes = field(default=b"", repr=False)
    log: SecretLog | None = field(default=None, repr=False, compare=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle or copy PacketKeys")


class Handshake(Protocol):
    """One end of a handshake. Bytes arrive in order and without gaps; nothing here knows time.

    The driver calls `start()` once (a client has bytes to send after it), then `receive()` with what came and
    `send()` for what should go, until `is_complete`. After completion `receive()` must go on taking bytes (a
    client learns of its rejection by an alert that comes late; tickets are dropped).
    """

    @property
    def is_complete(self) -> bool:
        """True once the handshake returned here *and* the peer's identity passed."""
        ...

    @property
    def peer(self) -> PeerIdentity | None:
        """The verified peer, None until complete."""
        ...

    @property
    def version(self) -> int:
        """The wire version that this handshake belongs to (`constants.VERSION_*`)."""
        ...

    def start(self) -> None:
        """Begin. A client prepares its first flight."""
        ...

    def receive(self, data: bytes) -> None:
        """Take the peer's next bytes.

        Raises `AuthenticationError` if the peer's proof fails (or the peer's alert says that ours failed) and
        `HandshakeError` for everything else. Bytes left in `send()` after an error (an alert) must still go
        out.
        """
        ...

    def send(self) -> bytes:
        """Give the bytes to send and forget them; b"" if there are none."""
        ...

    def packet_keys(self, context: bytes) -> PacketKeys:
        """Derive the application keys once complete, bound to `context` (see docs/wire-format.md)."""
        ...

    def confirm(self, context: bytes) -> None:
        """Queue an authenticated statement of `context` for the peer (called once, when complete and keyed).

        The peer compares it with its own: parameters that were changed on the way end in a clear error.
        """
        ...

    @property
    def peer_context(self) -> bytes | None:
        """The context that the peer confirmed, None until it came."""
        ...
