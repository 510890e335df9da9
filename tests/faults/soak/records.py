"""Records that prove themselves: a number, bytes drawn from it, and a digest over both.

Owns: their form, and what a reader demands of their order. May not know: what carries them.
"""

from __future__ import annotations

import hashlib
import random
from enum import Enum
from math import exp, log

DIGEST_SIZE = 16
HEADER_SIZE = 8
MAX_BODY_SIZE = 32768


class Wrong(Exception):
    """A record that was not sent, or not so often, or not in this order."""


class Order(Enum):
    """What a channel promises of its messages."""

    ORDERED = "each once, in order"
    UNORDERED = "each once"
    UNRELIABLE = "each once at most"


def digest(data: bytes) -> bytes:
    """The digest that ends a record."""
    return hashlib.blake2b(data, digest_size=DIGEST_SIZE).digest()


def draw_size(dice: random.Random) -> int:
    """A size of a body: 1 to 32,768 bytes, every order of magnitude as likely."""
    return int(exp(dice.uniform(0.0, log(MAX_BODY_SIZE))))


def make_record(number: int, size: int, dice: random.Random) -> bytes:
    """Record `number` with a body of `size` bytes."""
    head = number.to_bytes(HEADER_SIZE, "big") + dice.randbytes(size)
    return head + digest(head)


def number_of(record: bytes) -> int:
    """Check a record and give its number. Raises `Wrong` if a byte of it is not what was sent."""
    head, tail = record[:-DIGEST_SIZE], record[-DIGEST_SIZE:]
    if len(head) < HEADER_SIZE or digest(head) != tail:
        raise Wrong(f"a record of {len(record)} bytes is damaged")
    return int.from_bytes(head[:HEADER_SIZE], "big")


class Reader:
    """Takes the records of one channel. Raises `Wrong` for one that breaks the channel's promise.

    Invariant: all numbers below `_next` were seen (or may be missing, for UNRELIABLE); `_early` are seen ones
    above it.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._next = 0
        self._early: set[int] = set()
        self.count = 0

    def take(self, record: bytes) -> int:
        """Take the next record that came; gives its number."""
        number = number_of(record)
        self.count += 1
        if self._order is Order.ORDERED and number != self._next:
            raise Wrong(f"record {number} came when {self._next} was due")
        if number < self._next or number in self._early:
            raise Wrong(f"record {number} came twice")
        self._early.add(number)
        while self._next in self._early:
            self._early.remove(self._next)
            self._next += 1
        return number

    def finish(self, sent: int) -> None:
        """The channel is over, and so many were sent."""
        if self._order is not Order.UNRELIABLE and (self.count != sent or self._next != sent):
            raise Wrong(f"{self.count} of {sent} records came")
        if self.count > sent:
            raise Wrong(f"{self.count} records came of {sent}")
