"""What the simulation's channels carry: bytes that anybody can compute from a key and an offset.

Owns: the keyed hash. May not know: who sends what. No content is stored: a byte in the wrong place, of the
wrong channel or of the wrong message differs from what belongs there.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import shake_128
from typing import Final

BLOCK_SIZE: Final = 4096


@lru_cache(maxsize=512)
def _block(key: bytes, index: int) -> bytes:
    return shake_128(key + index.to_bytes(8, "big")).digest(BLOCK_SIZE)


def stream_content(key: bytes, start: int, size: int) -> bytes:
    """Give the bytes [start, start + size) of the stream with this key."""
    first, skipped = divmod(start, BLOCK_SIZE)
    last = (start + max(size, 1) - 1) // BLOCK_SIZE
    if first == last:
        return _block(key, first)[skipped : skipped + size]
    blocks = b"".join([_block(key, index) for index in range(first, last + 1)])
    return blocks[skipped : skipped + size]


def message_content(key: bytes, index: int, size: int) -> bytes:
    """Give message number `index`, of `size` bytes."""
    return shake_128(key + b"message" + index.to_bytes(8, "big")).digest(size)
