"""How often something may happen: token buckets, one for all or one for each network that asks.

Owns: their arithmetic, and what counts as one network. May not know: what is being counted.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Final

from fastmux import constants as c
from fastmux.protocol.events import Address

_PREFIX_BITS: Final = 64  # what one customer of a provider has at least


def prefix_of(address: Address, bits: int = _PREFIX_BITS) -> str:
    """The network that an address counts for: an IPv4 address itself, a /64 of IPv6 (mapped IPv4 is IPv4).

    `bits`, whole bytes of them, is the length of another prefix of IPv6.
    """
    host = address[0]
    if ":" not in host:
        return host
    try:
        parsed = IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped is not None else f"{parsed.packed[: bits // 8].hex()}/{bits}"


class TokenBucket:
    """`burst` at once, `rate` a second. Times are seconds. Invariant: `0 <= _tokens <= burst`."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = burst
        self._at = now

    def has(self, now: float, reserve: float = 0.0) -> bool:
        """True if `take` would be, and so many more were left then."""
        refill = max(now - self._at, 0.0) * self._rate
        self._tokens = min(self._tokens + refill, self._burst)
        self._at = max(self._at, now)  # time that was counted is not counted again when a clock went back
        return self._tokens >= 1.0 + reserve

    def take(self, now: float) -> bool:
        """True if one more may happen, which then counts."""
        if not self.has(now):
            return False
        self._tokens -= 1.0
        return True


class PrefixRates:
    """A bucket for each network, a /64 of IPv6 unless its `bits` are others.

    Invariant: `_buckets` has at most `size` entries, in the order in which they were last asked for. With
    more networks than that the quietest begins anew: a limit for all stands beside this one.
    """

    __slots__ = ("_bits", "_buckets", "_burst", "_rate", "_size")

    def __init__(
        self, burst: float, rate: float, size: int = c.MAX_RATED_PREFIXES, bits: int = _PREFIX_BITS
    ) -> None:
        self._bits = bits
        self._burst = burst
        self._rate = rate
        self._size = size
        self._buckets: dict[str, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def has(self, address: Address, now: float) -> bool:
        """True if `take` would be; asking remembers nobody."""
        bucket = self._buckets.get(prefix_of(address, self._bits))
        return bucket is None or bucket.has(now)

    def take(self, address: Address, now: float) -> bool:
        """True if one more from the network of this address may happen, which then counts."""
        prefix = prefix_of(address, self._bits)
        bucket = self._buckets.pop(prefix, None)
        if bucket is None:
            bucket = TokenBucket(self._burst, self._rate, now)
            if len(self._buckets) >= self._size:
                del self._buckets[next(iter(self._buckets))]
        self._buckets[prefix] = bucket
        return bucket.take(now)
