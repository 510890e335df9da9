"""Messages and their fragments from an authenticated peer (H37 to H39)."""

from __future__ import annotations

from random import Random

import pytest

from fastmux import constants as c
from hostile.attacker import Attack, Attacker
from hostile.fragments import ATTACKS, LARGEST, UNIT, fragment
from hostile.runs import check
from hostile.streams import opened
from hostile.world import World

MESSAGES = opened(0, c.KIND_MESSAGE)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.row} {attack.name}")
def test_an_attack_has_its_reaction_and_leaves_little_and_others_go_on(attack: Attack) -> None:
    check(attack)


def attacker_in(world: World) -> Attacker:
    attacker = Attacker(world, world.connect("well-behaved", is_read=True))
    attacker.connect()
    return attacker


# --- H37 ------------------------------------------------------------------------------------------------


def test_memory_follows_what_came_and_not_what_was_announced() -> None:
    attacker = attacker_in(World())
    attacker.now(MESSAGES, fragment(0, 0, LARGEST, bytes(UNIT)))
    assert attacker.client.far.data_path.held_size == 32 * UNIT


def test_the_largest_message_may_come_and_none_that_is_a_unit_larger() -> None:
    world = World()
    attacker = attacker_in(world)
    attacker.now(MESSAGES, fragment(0, LARGEST - 1, LARGEST, bytes(UNIT)))
    assert world.code(attacker.client.far) is None
    attacker.now(fragment(1, LARGEST, LARGEST + 1, bytes(UNIT)))
    assert world.code(attacker.client.far) == c.PROTOCOL_VIOLATION


def test_partial_messages_are_kept_up_to_the_limit_and_no_packet_beyond_it_is_acknowledged() -> None:
    attacker = attacker_in(World())
    data_path = attacker.client.far.data_path
    attacker.now(MESSAGES)
    for number in range(c.MIN_RECEIVED_SPANS):
        attacker.now(fragment(number, 0, 2, bytes(UNIT)))
    assert data_path.counters()["dropped_packets"] == 0
    attacker.now(fragment(c.MIN_RECEIVED_SPANS, 0, 2, bytes(UNIT)))
    assert data_path.counters()["dropped_packets"] == 1
    attacker.now(fragment(0, 1, 2, bytes(UNIT)))  # what completes one is always taken
    assert data_path.counters()["dropped_packets"] == 1
    assert data_path.take_message(2) == bytes(2 * UNIT)


def test_a_hundred_messages_of_many_fragments_in_the_worst_order_meet_no_limit() -> None:
    """Ten times what usually is under way at once, the last fragment of each first."""
    world = World()
    attacker = attacker_in(world)
    attacker.now(MESSAGES)
    units, messages = 5, 100
    pieces = [(message, index) for message in range(messages) for index in range(units)]
    Random(1).shuffle(pieces)
    for message, index in pieces:
        attacker.now(fragment(message, index, units, bytes((message,)) * UNIT))
    taken = attacker.client.far.data_path.take_messages(2, messages)
    assert taken == [bytes((message,)) * (units * UNIT) for message in range(messages)]
    assert world.code(attacker.client.far) is None
    assert attacker.client.far.data_path.counters()["dropped_packets"] == 0


# --- H38, H39 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "units", "size", "code"),
    [
        (2, 3, UNIT, None),
        (3, 3, UNIT, c.PROTOCOL_VIOLATION),
        (2, 3, UNIT + 1, c.PROTOCOL_VIOLATION),
        (1, 3, UNIT, None),
        (1, 3, UNIT - 1, c.FRAME_ENCODING_ERROR),
        (1, 3, 0, c.FRAME_ENCODING_ERROR),
        (0, 1, 0, None),
        (0, 0, 0, c.PROTOCOL_VIOLATION),
        ((1 << 62) - 1, 3, UNIT, c.PROTOCOL_VIOLATION),
        (0, (1 << 62) - 1, UNIT, c.PROTOCOL_VIOLATION),
    ],
)
def test_a_fragment_inside_its_message_is_taken_and_one_outside_ends_the_connection(
    index: int, units: int, size: int, code: int | None
) -> None:
    world = World()
    attacker = attacker_in(world)
    attacker.now(MESSAGES, fragment(0, index, units, bytes(size)))
    assert world.code(attacker.client.far) == code


def test_of_two_copies_of_a_fragment_the_first_is_delivered_and_no_mixture() -> None:
    attacker = attacker_in(World())
    attacker.now(MESSAGES, fragment(0, 1, 4, b"A" * UNIT))
    attacker.now(fragment(0, 0, 4, b"B" * 3 * UNIT))
    attacker.now(fragment(0, 0, 4, b"C" * (3 * UNIT + 5)))
    message = attacker.client.far.data_path.take_message(2)
    assert message == b"B" * UNIT + b"A" * UNIT + b"B" * UNIT + b"C" * 5
