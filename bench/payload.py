"""The bytes every benchmark carries, and the check that they arrived.

Owns the pattern (a block of 1,048,573 bytes, over and over: the block is a prime, so no power-of-two slip
goes unseen), its comparison with a stream, and pieces of it for messages and echoes. Knows no transport, no
clock and no process.
"""

import random

BLOCK_SIZE = 1_048_573
PIECE_SIZE = 256 * 1024

_BLOCK = random.Random(BLOCK_SIZE).randbytes(BLOCK_SIZE)
_TWICE = _BLOCK * 2


def pieces(size: int) -> list[bytes]:
    """The block cut once, so that a sender makes no copy: send them in turn, and again from the first."""
    return [_BLOCK[start : start + size] for start in range(0, BLOCK_SIZE, size)]


PIECES = pieces(PIECE_SIZE)


def cut(size: int) -> list[bytes]:
    """As many different pieces of `size` bytes as the block has: message n is `pieces[n % len(pieces)]`."""
    return [_BLOCK[start : start + size] for start in range(0, BLOCK_SIZE - size + 1, size)]


class Verifier:
    """Compares a received stream with the pattern: one memcmp a call, no copy.

    Invariant: the first `size` bytes of the stream were received in order and equal the pattern.
    """

    def __init__(self) -> None:
        self.size = 0

    def check(self, data: bytes | bytearray | memoryview) -> None:
        """Takes the next bytes, at most BLOCK_SIZE. Raises ValueError where they differ."""
        if not _TWICE.startswith(data, self.size % BLOCK_SIZE):
            raise ValueError(f"the {len(data)} bytes from byte {self.size} on are not those sent")
        self.size += len(data)
