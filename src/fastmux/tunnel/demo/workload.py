"""What the demo carries: a file, messages and a blob for HTTP, all made from one seed.

Owns: sizes and contents. May not know: how they travel.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
CHUNK_SIZE = 256 * 1024
MAX_MESSAGE_SIZE = MIB
PING_SIZE = 64
SLEEPER_SIZE = 4 * MIB


@dataclass(frozen=True, slots=True)
class Workload:
    """Sizes in bytes; `messages` is a count. Both ends are told the same."""

    file_size: int = 64 * MIB
    http_size: int = 4 * MIB
    messages: int = 500
    pings: int = 300
    seed: int = 1


def make_file(path: Path, size: int, seed: int) -> str:
    """Write `size` bytes of seeded noise to `path`; returns their SHA-256 in hex."""
    block = random.Random(seed).randbytes(MIB)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for index in range(0, size, MIB):
            # A counter in each block: blocks that change places change the hash.
            part = (index.to_bytes(8, "big") + block[8:])[: size - index]
            digest.update(part)
            file.write(part)
    return digest.hexdigest()


def read_chunks(path: Path) -> Iterator[bytes]:
    """The file's bytes in pieces of CHUNK_SIZE."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_SIZE):
            yield chunk


def make_messages(count: int, seed: int) -> list[bytes]:
    """Messages of 1 byte to 1 MiB, sizes drawn log-uniformly, the largest and the smallest among them."""
    rng = random.Random(seed)
    noise = rng.randbytes(MAX_MESSAGE_SIZE)
    sizes = [1, MAX_MESSAGE_SIZE]
    sizes += [int(MAX_MESSAGE_SIZE ** rng.random()) for _ in range(count - len(sizes))]
    rng.shuffle(sizes)
    return [noise[:size] if size < 8 else index.to_bytes(8, "big") + noise[8:size]
            for index, size in enumerate(sizes)]


def digest_messages(messages: list[bytes]) -> str:
    """SHA-256 over the messages with their lengths, so that a border that moved changes the hash."""
    digest = hashlib.sha256()
    for message in messages:
        add_message(digest, message)
    return digest.hexdigest()


def add_message(digest: hashlib._Hash, message: bytes) -> None:
    """Add one message to a digest of messages."""
    digest.update(len(message).to_bytes(8, "big"))
    digest.update(message)


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of `values` lie (nearest rank); 0.0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
