"""Admission of peers that have not proved themselves."""

from __future__ import annotations

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.gate import Gate

HERE = ("127.0.0.1", 1)
THERE = ("127.0.0.2", 1)


def gate(max_connections: int = 100, max_half_open: int = 3, per_address: int = 2) -> Gate[str]:
    return Gate(
        Configuration(
            max_connections=max_connections,
            max_half_open=max_half_open,
            max_half_open_per_address=per_address,
        )
    )


def test_so_many_half_open_connections_come_from_one_host_and_no_more() -> None:
    door = gate()
    door.enter("a", HERE, 0.0)
    door.enter("b", ("127.0.0.1", 2), 0.0)
    assert not door.admits(("127.0.0.1", 3), 2)
    assert door.admits(THERE, 2)


def test_so_many_are_half_open_in_all() -> None:
    door = gate()
    for number in range(3):
        assert door.admits((f"127.0.1.{number}", 1), number)
        door.enter(str(number), (f"127.0.1.{number}", 1), 0.0)
    assert not door.admits(THERE, 3)


def test_the_connections_that_are_there_count_too() -> None:
    assert gate(max_connections=5).admits(HERE, 4)
    assert not gate(max_connections=5).admits(HERE, 5)


def test_whoever_leaves_makes_room_once() -> None:
    door = gate()
    door.enter("a", HERE, 0.0)
    door.enter("b", HERE, 0.0)
    door.leave("a")
    door.leave("a")
    assert door.admits(HERE, 1)
    door.enter("c", HERE, 0.0)
    assert not door.admits(HERE, 2)
    assert len(door) == 2


def test_an_empty_gate_remembers_no_host() -> None:
    door = gate()
    for number in range(1000):
        door.enter("a", (f"host {number}", 1), 0.0)
        assert "a" in door
        door.leave("a")
    assert door.is_empty
    assert not door._prefixes


def test_above_an_eighth_of_either_limit_it_is_crowded() -> None:
    door = gate(max_half_open=80, per_address=16)
    assert not door.is_crowded(HERE)
    for number in range(2):
        assert not door.is_crowded(HERE)
        door.enter(f"here {number}", HERE, 0.0)
    assert door.is_crowded(HERE)
    assert not door.is_crowded(THERE)
    for number in range(8):
        door.enter(str(number), (f"127.0.1.{number}", 1), 0.0)
    assert door.is_crowded(THERE)


def test_a_network_of_ipv6_counts_as_one() -> None:
    door = gate()
    door.enter("a", ("2001:db8::1", 1, 0, 0), 0.0)
    door.enter("b", ("2001:db8::2", 1, 0, 0), 0.0)
    assert not door.admits(("2001:db8::3", 1, 0, 0), 2)
    assert door.admits(("2001:db8:0:1::3", 1, 0, 0), 2)


def test_when_it_is_full_the_oldest_of_the_largest_network_yields_after_a_while() -> None:
    door = gate()
    door.enter("a", THERE, 0.0)
    door.enter("b", HERE, 1.0)
    door.enter("c", HERE, 2.0)
    assert door.is_full
    newcomer = ("127.0.0.3", 1)
    assert door.bears(newcomer, 3)
    assert door.who_yields(newcomer, 1.0 + 0.9 * c.HALF_OPEN_GRACE) is None
    assert door.who_yields(newcomer, 1.0 + c.HALF_OPEN_GRACE) == "b"
    assert door.who_yields(THERE, 1.0 + c.HALF_OPEN_GRACE) == "b"
    assert not door.bears(HERE, 3)


def test_places_are_shared_by_what_a_site_has_of_ipv6() -> None:
    """Guards: the 256 networks of one /56 were as many as 256 sites."""
    door = gate(max_half_open=4, per_address=4)
    for number in range(3):
        door.enter(f"site {number}", (f"2001:db8:0:{number:x}::1", 1, 0, 0), 0.0)
    door.enter("other", ("2001:db8:1::1", 1, 0, 0), 0.0)
    assert door.who_yields(("2001:db8:2::1", 1, 0, 0), 10.0) == "site 0"
