"""Stateless reset: told by tokens that the peer has lost the connection (wire-format §3.6; RFC 9000 §10.3).

Owns: its bytes, how often one is sent, and which tokens are looked out for. May not know: how a token is
made, what a connection does when it is reset.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from fastmux import constants as c
from fastmux.protocol.events import Address
from fastmux.protocol.rates import PrefixRates, TokenBucket

_SHORTEST_TRIGGER: Final = c.MIN_STATELESS_RESET_SIZE + 1

Owner = TypeVar("Owner")


def encode_reset(token: bytes, trigger_size: int, random_bytes: Callable[[int], bytes]) -> bytes:
    """Make the answer to a packet of `trigger_size` bytes (at least 22): it is shorter, so no answers loop.

    Its id is random like the rest: the sender does not know the receiver's.
    """
    size = min(trigger_size - 1, c.MAX_STATELESS_RESET_SIZE)
    content = random_bytes(size - c.RESET_TOKEN_SIZE)
    first = c.FIXED_BIT | (content[0] & c.KEY_PHASE_BIT)
    return bytes((first,)) + content[1:] + token


class ResetLimit:
    """How often strays are answered: few to one network, and few in all. Times are seconds."""

    __slots__ = ("_all", "_each")

    def __init__(self) -> None:
        self._all: TokenBucket | None = None
        self._each = PrefixRates(c.RESET_BURST_PER_ADDRESS, c.RESET_RATE_PER_ADDRESS)

    def take(self, address: Address, size: int, now: float) -> bool:
        """True if a stray packet of `size` bytes may be answered."""
        if size < _SHORTEST_TRIGGER:
            return False
        if self._all is None:
            self._all = TokenBucket(c.RESET_BURST, c.RESET_RATE, now)
        return self._each.take(address, now) and self._all.take(now)


class ResetTokens(Generic[Owner]):
    """Whose connection a token ends.

    Tokens are looked up by a keyed hash, so that the time it takes tells nothing of them (RFC 9000 §10.3.1).
    Invariant: `_owners` has the tokens that are watched for, each once.
    """

    __slots__ = ("_key", "_owners")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._owners: dict[bytes, Owner] = {}

    def __len__(self) -> int:
        return len(self._owners)

    def watch(self, token: bytes, owner: Owner) -> None:
        """From now on this token means this connection."""
        self._owners[self._hash(token)] = owner

    def forget(self, token: bytes) -> None:
        """This token means nothing any more."""
        self._owners.pop(self._hash(token), None)

    def find(self, datagram: bytes | memoryview) -> Owner | None:
        """Whose connection a datagram ends that came for nobody; None if it is no reset."""
        if not self._owners or len(datagram) < c.MIN_STATELESS_RESET_SIZE:
            return None
        return self._owners.get(self._hash(bytes(datagram[-c.RESET_TOKEN_SIZE :])))

    def _hash(self, token: bytes) -> bytes:
        return hmac.digest(self._key, b"fastmux watched" + token, "sha256")
