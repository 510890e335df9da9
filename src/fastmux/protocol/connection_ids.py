"""How an endpoint makes the connection ids by which it wants to be addressed.

Owns: the interface of such a scheme, random ids, and the rule that steers a packet to one of many workers
by its destination id. May not know: which ids are in use, who steers (`fastmux.aio.steering` does on
Linux), sockets and random numbers, which come from outside.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fastmux import constants as c
from fastmux.protocol.events import Address


class ConnectionIds(Protocol):
    """A scheme of ids, all of one size (4 to 20 bytes).

    `fixed_size` is how many of the first bytes are the same, or nearly so, in all of them: a rule that
    spreads connections may only look behind these.
    """

    @property
    def size(self) -> int:
        """Bytes of each id."""
        ...

    @property
    def fixed_size(self) -> int:
        """Bytes at the start of each id that do not differ."""
        ...

    def make(self, random_bytes: Callable[[int], bytes]) -> bytes:
        """Make an id; `random_bytes(n)` gives n unpredictable bytes."""
        ...


def check_size(size: int) -> None:
    """Raise `ValueError` for a size that no connection id may have."""
    if not c.MIN_CONNECTION_ID_SIZE <= size <= c.MAX_CONNECTION_ID_SIZE:
        raise ValueError(f"the size of connection ids must be 4 to 20, not {size}")


@dataclass(frozen=True, slots=True)
class RandomIds:
    """Ids of `size` random bytes, which say nothing. Raises `ValueError` for a size that cannot be."""

    size: int = c.DEFAULT_CONNECTION_ID_SIZE

    def __post_init__(self) -> None:
        check_size(self.size)

    @property
    def fixed_size(self) -> int:
        """None of its bytes is fixed."""
        return 0

    def make(self, random_bytes: Callable[[int], bytes]) -> bytes:
        """Make an id."""
        return random_bytes(self.size)


def reset_token(key: bytes, connection_id: bytes) -> bytes:
    """Give the 16 bytes that end a stateless reset for this id (RFC 9000 §10.3.2).

    Nobody can tell them from random ones, or from those of another id, without `key`.
    """
    return hmac.digest(key, b"fastmux reset" + connection_id, "sha256")[: c.RESET_TOKEN_SIZE]


def reset_key_of(key: bytes, address: Address) -> bytes:
    """Give the key of reset tokens for the ids of one socket, bound to `address`.

    With one key for all somebody could send an id that is in use at one socket to another, and would be told
    the token that ends its connection (RFC 9000 §21.11).
    """
    return hmac.digest(key, b"fastmux reset key" + f"{address[0]} {address[1]}".encode(), "sha256")


def worker_of(connection_id: bytes, count: int) -> int:
    """Which of `count` workers a packet with this destination id (at least 8 bytes) is for.

    It is the 32-bit word in bytes 4 to 7, modulo `count`. A client's first id, which is random, is spread
    evenly by it; an id that a worker issued comes back to that worker.
    """
    word = connection_id[c.STEERING_OFFSET : c.STEERING_OFFSET + c.STEERING_SIZE]
    return int.from_bytes(word, "big") % count


def check_worker(index: int, count: int) -> None:
    """Raise `ValueError` unless `index` is one of `count` workers, and these not too many."""
    if not 1 <= count <= c.MAX_WORKERS:
        raise ValueError(f"there can be 1 to {c.MAX_WORKERS} workers, not {count}")
    if not 0 <= index < count:
        raise ValueError(f"a worker of {count} has an index of 0 to {count - 1}, not {index}")


@dataclass(frozen=True, slots=True)
class SteeredIds:
    """Ids of another scheme that `worker_of` gives to worker `index` of `count`.

    They are drawn until one fits, `count` times on average, so that every scheme can be steered, an
    encrypted one too. An observer learns the worker of an id: log2(count) bits of it are no secret.

    Raises `ValueError` for an index or count that makes no sense, or ids that are too short or fixed where
    the rule looks.
    """

    ids: ConnectionIds
    index: int
    count: int

    def __post_init__(self) -> None:
        check_worker(self.index, self.count)
        if self.ids.size < c.STEERING_OFFSET + c.STEERING_SIZE:
            raise ValueError(f"steered connection ids must have at least 8 bytes, not {self.ids.size}")
        if self.ids.fixed_size > c.STEERING_OFFSET:
            raise ValueError(
                f"of steered connection ids at most {c.STEERING_OFFSET} bytes may be fixed,"
                f" not {self.ids.fixed_size}: shorten the server id, or encrypt it with a key"
            )

    @property
    def size(self) -> int:
        """Bytes of each id."""
        return self.ids.size

    @property
    def fixed_size(self) -> int:
        """Bytes at the start that do not differ; the steered word counts as different."""
        return self.ids.fixed_size

    def make(self, random_bytes: Callable[[int], bytes]) -> bytes:
        """Make an id."""
        while True:
            connection_id = self.ids.make(random_bytes)
            if worker_of(connection_id, self.count) == self.index:
                return connection_id
