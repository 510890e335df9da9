"""The handshake of a control connection, from which the root of all port keys is kept.

Owns: how the root leaves the handshake. May not know: TLS, what the root is used for. TLS and its exporter
are gone when a connection is open, and its secrets move on with every key update; so the root is derived
at the only moment when both ends surely have the same: with the first keys.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from fastmux.aio.client import HandshakeMaker
from fastmux.aio.tls_argument import check_tls
from fastmux.portmux.keys import Root, root_of
from fastmux.protocol.handshake import Handshake, PacketKeys, PeerIdentity


@dataclass(frozen=True, slots=True)
class KeyedPeer(PeerIdentity):
    """A verified peer, and the root that is shared with it until somebody takes it."""

    identity: PeerIdentity = field(default_factory=PeerIdentity)
    roots: list[Root] = field(default_factory=list, repr=False, compare=False)

    def take_root(self) -> Root:
        """Give the root, once. Raises IndexError if it was taken."""
        return self.roots.pop()


def keyed_peer(identity: PeerIdentity, root: Root) -> KeyedPeer:
    """The same peer with a root."""
    facts = {item.name: getattr(identity, item.name) for item in dataclasses.fields(identity)}
    return KeyedPeer(**facts, identity=identity, roots=[root])


class ExportingHandshake:
    """A handshake like the one inside it, whose peer, once there are keys, carries the root.

    Invariant: `_peer` is None until the keys are derived; from then on it is always the same object.
    """

    def __init__(self, inner: Handshake, is_client: bool) -> None:
        self._inner = inner
        self._is_client = is_client
        self._peer: KeyedPeer | None = None

    @property
    def is_complete(self) -> bool:
        """True once the handshake returned here *and* the peer's identity passed."""
        return self._inner.is_complete

    @property
    def peer(self) -> PeerIdentity | None:
        """The verified peer, None until complete."""
        return self._peer or self._inner.peer

    @property
    def version(self) -> int:
        """The wire version that this handshake belongs to."""
        return self._inner.version

    @property
    def peer_context(self) -> bytes | None:
        """The context that the peer confirmed, None until it came."""
        return self._inner.peer_context

    def start(self) -> None:
        """Begin."""
        self._inner.start()

    def receive(self, data: bytes) -> None:
        """Take the peer's next bytes. Raises as the handshake inside."""
        self._inner.receive(data)

    def send(self) -> bytes:
        """Give the bytes to send and forget them."""
        return self._inner.send()

    def packet_keys(self, context: bytes) -> PacketKeys:
        """Derive the application keys, and the root from them."""
        keys = self._inner.packet_keys(context)
        if self._inner.peer is not None:
            self._peer = keyed_peer(self._inner.peer, root_of(keys, self._is_client))
        return keys

    def confirm(self, context: bytes) -> None:
        """Queue an authenticated statement of `context` for the peer."""
        self._inner.confirm(context)


class ExportingTls:
    """A `tls` argument like the one inside it, whose handshakes are exporting. TypeError for what is none."""

    def __init__(self, inner: HandshakeMaker) -> None:
        check_tls(inner)
        self._inner = inner

    def create_handshake(self, is_client: bool, server_hostname: str | None = None) -> Handshake:
        """Make one end of a handshake. Raises as the configuration inside."""
        return ExportingHandshake(self._inner.create_handshake(is_client, server_hostname), is_client)
