"""Attacks of an authenticated peer by messages and their fragments (H37 to H39).

Owns: these attacks. May not know: what they must come to.
"""

from __future__ import annotations

from itertools import count

from fastmux import constants as c
from hostile.attacker import Attack, Attacker, Frame, Shots
from hostile.streams import opened

UNIT = c.FRAGMENT_UNIT
LARGEST = c.MAX_MESSAGE_SIZE // UNIT


def fragment(message: int, index: int, units: int, data: bytes, channel: int = 0) -> Frame:
    """A MESSAGE frame of the attacker's own channel with this index."""
    return (c.FRAME_MESSAGE, channel << 2 | 2, message, index, units, data)


def announced(attacker: Attacker) -> Shots:
    """H37: the largest message there may be, and a byte of it, in every channel."""
    attacker.connect()
    yield attacker.say(opened(0, c.KIND_MESSAGE), fragment(0, LARGEST - 1, LARGEST, b"a"))
    while True:
        yield attacker.say((c.FRAME_PING,))


def larger_than_announced(attacker: Attacker) -> Shots:
    """H37: a message of a unit more."""
    attacker.connect()
    yield attacker.say(opened(0, c.KIND_MESSAGE), fragment(0, 0, LARGEST + 1, bytes(UNIT)))


def beyond_the_credit(attacker: Attacker) -> Shots:
    """H37: the largest message, and another beside it."""
    attacker.connect()
    yield attacker.say(opened(0, c.KIND_MESSAGE), fragment(0, 0, LARGEST, bytes(UNIT)))
    yield attacker.say(fragment(1, 0, LARGEST, bytes(UNIT)))


def many_partial_messages(attacker: Attacker) -> Shots:
    """H37: a unit of each of very many messages of two."""
    attacker.connect()
    for number in count():
        channel, message = divmod(number * 8, 2000)
        yield attacker.say(
            opened(channel, c.KIND_MESSAGE),
            *(fragment(message + place, 0, 2, bytes(UNIT), channel) for place in range(8)),
        )


def index_beyond_the_count(attacker: Attacker) -> Shots:
    """H38: a fragment that is not one of the message's."""
    attacker.connect()
    yield attacker.say(opened(0, c.KIND_MESSAGE), fragment(0, 3, 3, b"a"))


def count_that_changes(attacker: Attacker) -> Shots:
    """H38: two fragments that do not agree on how many there are."""
    attacker.connect()
    yield attacker.say(opened(0, c.KIND_MESSAGE), fragment(0, 0, 3, bytes(UNIT)))
    yield attacker.say(fragment(0, 1, 4, bytes(UNIT)))


def no_fragments(attacker: Attacker) -> Shots:
    """H38: a message of none."""
    attacker.connect()
    yield attacker.raw(b"\x16\x02\x00\x00\x00\x00")


def parts_of_units(attacker: Attacker) -> Shots:
    """H38: a middle fragment that is not whole units."""
    attacker.connect()
    yield attacker.say(opened(0, c.KIND_MESSAGE), fragment(0, 0, 3, bytes(UNIT - 1)))


def other_fragments(attacker: Attacker) -> Shots:
    """H39: the same fragments with ever new bytes, in overlapping runs."""
    attacker.connect()
    yield attacker.say(opened(0, c.KIND_MESSAGE))
    for number in count():
        yield attacker.say(fragment(0, number % 5, 100, attacker.dice.randbytes(4 * UNIT)))


def size_that_changes(attacker: Attacker) -> Shots:
    """H39: two last fragments of two lengths."""
    attacker.connect()
    yield attacker.say(opened(0, c.KIND_MESSAGE), fragment(0, 2, 3, bytes(7)))
    yield attacker.say(fragment(0, 2, 3, bytes(8)))


_A_MESSAGE = 2 * UNIT + 1024  # two units, and what says so on the pure core
ATTACKS = (
    Attack("H37", "announced and not sent", announced),
    Attack("H37", "larger than announced", larger_than_announced, c.PROTOCOL_VIOLATION),
    Attack("H37", "beyond the credit", beyond_the_credit, c.FLOW_CONTROL_ERROR),
    Attack("H37", "many partial messages", many_partial_messages, growth=3200 * _A_MESSAGE),
    Attack("H38", "an index beyond the count", index_beyond_the_count, c.PROTOCOL_VIOLATION),
    Attack("H38", "a count that changes", count_that_changes, c.PROTOCOL_VIOLATION),
    Attack("H38", "no fragments", no_fragments, c.PROTOCOL_VIOLATION),
    Attack("H38", "parts of units", parts_of_units, c.FRAME_ENCODING_ERROR),
    Attack("H39", "other fragments", other_fragments),
    Attack("H39", "a size that changes", size_that_changes, c.FINAL_SIZE_ERROR),
)
