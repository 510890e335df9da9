"""Fresh keys for each port, from the secrets of the control connection, and nothing on the wire.

Owns: the labels of the derivation, and the order in which secrets are used up. May not know: TLS, packets,
sockets. The steps are HKDF-Expand-Label of RFC 8446 §7.1 with the hash of the suite:

    root          Extract(client's traffic secret, server's traffic secret) of the control connection
    chain[0]      Expand(root, "fastmux port client" or "… server"): one for the channels that each end opens
    link[n]       Expand(chain[n], "fastmux port")       all keys and ids of the opener's channel n
    chain[n + 1]  Expand(chain[n], "fastmux port next")  then chain[n] is forgotten

A chain cannot be turned back: who takes the memory of an end learns nothing of channels that were opened
before, beyond the keys of those that are open.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from fastmux.constants import (
    DEFAULT_CONNECTION_ID_SIZE,
    IV_SIZE,
    SUITE_AES_128_GCM,
    SUITE_AES_256_GCM,
    SUITE_CHACHA20_POLY1305,
    SUITE_KEY_SIZES,
    SUITE_NULL,
)
from fastmux.protocol.handshake import PacketKeys
from fastmux.protocol.hkdf import expand_label
from fastmux.protocol.surroundings import Ids

_HASHES: Final = {
    SUITE_NULL: "sha256",
    SUITE_AES_128_GCM: "sha256",
    SUITE_AES_256_GCM: "sha384",
    SUITE_CHACHA20_POLY1305: "sha256",
}


@dataclass(frozen=True, slots=True)
class Root:
    """What both ends of a control connection derive ports from: a secret, and the suite of its packets.

    Under PLAINTEXT there is no secret: then it only tells one port's packets from another's.
    """

    suite: int
    secret: bytes = field(repr=False)


def root_of(keys: PacketKeys, is_client: bool) -> Root:
    """Derive the root from a connection's first keys; both ends get the same."""
    mine = keys.send_secret or keys.send_iv
    theirs = keys.receive_secret or keys.receive_iv
    client, server = (mine, theirs) if is_client else (theirs, mine)
    return Root(keys.suite, hmac.digest(client, server, _HASHES[keys.suite]))


class KeyChain:
    """The secrets of the channels that one end opens, in their order; both ends hold the same chain.

    Invariant: `_secret` leads to the channels that were not opened yet, and to no other.
    """

    __slots__ = ("_algorithm", "_secret")

    def __init__(self, root: Root, of_client: bool) -> None:
        """`of_client`: for the channels that the client opens."""
        label = b"fastmux port client" if of_client else b"fastmux port server"
        self._algorithm = _HASHES[root.suite]
        self._secret = self._expand(root.secret, label)

    def take(self) -> bytes:
        """Give the secret of the next channel, and forget what led to it."""
        link = self._expand(self._secret, b"fastmux port")
        self._secret = self._expand(self._secret, b"fastmux port next")
        return link

    def _expand(self, secret: bytes, label: bytes) -> bytes:
        return expand_label(secret, label, hashlib.new(self._algorithm).digest_size, self._algorithm)


def link_keys(link: bytes, suite: int, is_client: bool) -> PacketKeys:
    """Both directions' keys of a channel, as the client or the server of the control connection sees them."""
    client, server = (_direction(link, label, suite) for label in (b"fastmux port c", b"fastmux port s"))
    send, receive = (client, server) if is_client else (server, client)
    secrets = (b"", b"") if suite == SUITE_NULL else (send[0], receive[0])
    return PacketKeys(suite, send[1], send[2], receive[1], receive[2], *secrets)


def _direction(link: bytes, label: bytes, suite: int) -> tuple[bytes, bytes, bytes]:
    """Secret, key and IV of one direction; what updates them later is the ratchet of every connection."""
    algorithm = _HASHES[suite]
    secret = expand_label(link, label, len(link), algorithm)
    key = expand_label(secret, b"fastmux key", SUITE_KEY_SIZES[suite], algorithm)
    return secret, key, expand_label(secret, b"fastmux iv", IV_SIZE, algorithm)


def link_ids(link: bytes, suite: int, is_client: bool) -> Ids:
    """The connection ids of a channel's two ends, which need not be told then."""
    size = DEFAULT_CONNECTION_ID_SIZE
    both = expand_label(link, b"fastmux port ids", 2 * size, _HASHES[suite])
    client, server = both[:size], both[size:]
    local, remote = (client, server) if is_client else (server, client)
    return Ids(local=local, remote=remote, first=b"")
