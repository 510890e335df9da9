"""Caps on bandwidth.

Owns: when how many bytes may go on. May not know: sockets, channels, which way they go.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from fastmux.tunnel.constants import MIN_SPLICE_CHUNK_SIZE, RATE_LIMIT_BURST, SPLICE_CHUNK_SIZE

_CHUNKS_PER_BURST: Final = 4


class RateLimit:
    """A token bucket that any number of channels share, in the order in which they ask.

    Both directions of the channels count together. The bucket holds a tenth of a second's bytes.
    Invariant: `_free_at` is when everything that was taken so far is paid for; nobody who took goes on
    before his share of it is, give or take the bucket.
    """

    def __init__(self, bytes_per_second: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds and runs as the event loop's does. Raises ValueError for a rate below 1."""
        if not bytes_per_second >= 1:
            raise ValueError(f"a rate limit is at least 1 byte a second, not {bytes_per_second}")
        self.bytes_per_second = bytes_per_second
        self._clock = clock
        self._free_at = clock()

    @property
    def chunk_size(self) -> int:
        """How many bytes to move at once, so that nobody waits long behind a single read."""
        size = int(self.bytes_per_second * RATE_LIMIT_BURST) // _CHUNKS_PER_BURST
        return min(max(size, MIN_SPLICE_CHUNK_SIZE), SPLICE_CHUNK_SIZE)

    async def take(self, size: int) -> None:
        """Wait until `size` bytes may go on. Cancelled, they are given back."""
        cost = size / self.bytes_per_second
        self._free_at = max(self._free_at, self._clock()) + cost
        delay = self._free_at - RATE_LIMIT_BURST - self._clock()
        if delay > 0:
            try:
                await asyncio.sleep(delay)
            except asyncio.CancelledError:
                self._free_at -= cost
                raise

    def try_take(self, size: int) -> bool:
        """Take `size` bytes if they may go on now; False, and nothing taken, if they would have to wait."""
        now = self._clock()
        free_at = max(self._free_at, now) + size / self.bytes_per_second
        if self._free_at > now and free_at - RATE_LIMIT_BURST > now:
            return False
        self._free_at = free_at
        return True


async def take_all(limits: Iterable[RateLimit], size: int) -> None:
    """Wait until every limit lets `size` bytes go on."""
    for limit in limits:
        await limit.take(size)


def try_take_all(limits: Iterable[RateLimit], size: int) -> bool:
    """Take `size` bytes of every limit, or False if one of them says no: the datagram is dropped then."""
    return all(limit.try_take(size) for limit in limits)


def chunk_size_of(limits: Iterable[RateLimit]) -> int:
    """How many bytes to move at once under these limits."""
    return min((limit.chunk_size for limit in limits), default=SPLICE_CHUNK_SIZE)
