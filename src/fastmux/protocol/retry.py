"""Stateless Retry: its packets and its tokens (docs/wire-format.md §3.5; RFC 9000 §8.1.2, §17.2.5).

Owns: their bytes, the keys that tokens are made with, which tokens were spent. May not know: when a Retry is
sent, what a client does with one; clocks and random numbers, which come from outside.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final, NamedTuple

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.events import Address
from fastmux.protocol.initial_keys import initial_protection
from fastmux.records import LongHeader

_KEY_SIZE: Final = 32
_AGE_SIZE: Final = 4  # bytes: milliseconds since the key was made
_MAC_SIZE: Final = 16
_MAC_AT: Final = 1 + _AGE_SIZE
_FIRST_ID_AT: Final = _MAC_AT + _MAC_SIZE
_LABEL: Final = b"fastmux retry"


class Retry(NamedTuple):
    """What a Retry says: the server's new id, and the token that proves the client's address. Empty: none."""

    source_id: bytes = b""
    token: bytes = b""


NO_RETRY: Final = Retry()


# --- packets --------------------------------------------------------------------------------------------


def encode_retry(header: LongHeader, retry: Retry) -> bytes:
    """Answer a client's first packet; only who saw that packet can make this one."""
    packet = core.encode_long_header(c.LONG_RETRY, header.version, header.source_id, retry.source_id, b"", 0)
    packet += retry.token
    sealing, _ = initial_protection(header.destination_id, is_client=False)
    return packet + sealing.seal(c.MAX_PACKET_NUMBER, _bound(header.destination_id, packet), b"")


def decode_retry(
    header: LongHeader, packet: bytes, first_id: bytes, receiving: core.PacketProtection
) -> Retry | None:
    """Read a Retry for the client whose first packet went to `first_id`; None unless it is authentic.

    `receiving` is the client's protection of handshake packets.
    """
    end = len(packet) - c.TAG_SIZE
    token = packet[header.header_size : end]
    if end < 0 or not 0 < len(token) <= c.MAX_TOKEN_SIZE or header.source_id == first_id:
        return None
    if receiving.open(c.MAX_PACKET_NUMBER, _bound(first_id, packet[:end]), packet[end:]) is None:
        return None
    return Retry(header.source_id, token)


def _bound(first_id: bytes, packet: bytes) -> bytes:
    return bytes((len(first_id),)) + first_id + packet


# --- tokens ---------------------------------------------------------------------------------------------


class _Key(NamedTuple):
    generation: int
    made_at: float
    secret: bytes

    def __repr__(self) -> str:
        """Without the secret."""
        return f"_Key(generation={self.generation}, made_at={self.made_at})"


class RetryTokens:
    """Makes tokens and checks them. Times are seconds.

    A token is the number of its key, its age since that key was made, a MAC, and the client's first id. The
    MAC also covers the client's address and port and the Retry's source id, so that nobody else can use it,
    nor for anything else.

    Invariant: `_keys` are the newest and perhaps the one before; `_spent` has the MACs of tokens that were
    used within RETRY_TOKEN_LIFETIME, in that order, at most MAX_SPENT_TOKENS.
    """

    __slots__ = ("_keys", "_random_bytes", "_spent")

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._keys: tuple[_Key, ...] = ()
        self._spent: dict[bytes, float] = {}

    def issue(self, address: Address, first_id: bytes, source_id: bytes, now: float) -> bytes:
        """Make a token for a client at `address` whose first packet went to `first_id`."""
        key = self._newest_key(now)
        age = max(int((now - key.made_at) * 1000), 0).to_bytes(_AGE_SIZE, "big")
        mac = _mac(key.secret, age, address, first_id, source_id)
        return bytes((key.generation,)) + age + mac + first_id

    def check(self, token: bytes, address: Address, source_id: bytes, now: float) -> bytes | None:
        """Give the client's first id, or None for a token that is forged, too old, spent, or another's."""
        if len(token) <= _FIRST_ID_AT:
            return None
        age, mac, first_id = token[1:_MAC_AT], token[_MAC_AT:_FIRST_ID_AT], token[_FIRST_ID_AT:]
        for key in self._keys:
            if key.generation == token[0]:
                expected = _mac(key.secret, age, address, first_id, source_id)
                issued_at = key.made_at + int.from_bytes(age, "big") / 1000
                if not hmac.compare_digest(mac, expected) or now > issued_at + c.RETRY_TOKEN_LIFETIME:
                    return None
                return None if mac in self._spent else first_id
        return None

    def spend(self, token: bytes, now: float) -> bool:
        """Take a token that `check` found good, once; False if too many were taken lately."""
        oldest = now - c.RETRY_TOKEN_LIFETIME
        while self._spent and next(iter(self._spent.values())) < oldest:
            del self._spent[next(iter(self._spent))]
        if len(self._spent) >= c.MAX_SPENT_TOKENS:
            return False
        self._spent[token[_MAC_AT:_FIRST_ID_AT]] = now
        return True

    def _newest_key(self, now: float) -> _Key:
        newest = self._keys[0] if self._keys else None
        if newest is None or now >= newest.made_at + c.RETRY_KEY_LIFETIME:
            generation = 0 if newest is None else (newest.generation + 1) % 256
            newest = _Key(generation, now, self._random_bytes(_KEY_SIZE))
            self._keys = (newest, *self._keys[:1])
        return newest


def _mac(secret: bytes, age: bytes, address: Address, first_id: bytes, source_id: bytes) -> bytes:
    host = address[0].encode()
    port = address[1].to_bytes(4, "big")
    parts = (_LABEL, age, host, port, first_id, source_id)
    framed = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    return hmac.digest(secret, framed, "sha256")[:_MAC_SIZE]
