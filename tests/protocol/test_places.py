"""Places by network, and who yields."""

from __future__ import annotations

from random import Random

import pytest

from fastmux.protocol.places import Places

NOW = 100.0


def test_without_guests_nobody_yields() -> None:
    assert Places[str]().who_yields("here", NOW) is None


def test_the_oldest_of_the_largest_network_yields() -> None:
    places: Places[str] = Places()
    for at, (guest, network) in enumerate([("a", "one"), ("b", "two"), ("c", "two"), ("d", "three")]):
        places.add(guest, network, float(at))
    assert places.who_yields("new", NOW) == "b"
    places.remove("b", "two")
    assert places.who_yields("new", NOW) == "a"


def test_one_of_the_largest_networks_displaces_only_its_own() -> None:
    places: Places[str] = Places()
    for at, (guest, network) in enumerate([("a", "one"), ("b", "two"), ("c", "two"), ("d", "one")]):
        places.add(guest, network, float(at))
    assert places.who_yields("one", NOW) == "a"
    assert places.who_yields("two", NOW) == "b"


def test_whoever_came_lately_yields_to_nobody() -> None:
    places: Places[str] = Places()
    places.add("a", "one", 5.0)
    assert places.who_yields("two", 4.9) is None
    assert places.who_yields("two", 5.0) == "a"


@pytest.mark.parametrize("seed", range(5))
def test_any_coming_and_going_agrees_with_a_count(seed: int) -> None:
    dice = Random(seed)
    places: Places[int] = Places()
    guests: dict[int, tuple[str, float]] = {}
    for number in range(2000):
        if guests and dice.random() < 0.5:
            leaving = dice.choice(list(guests))
            places.remove(leaving, guests.pop(leaving)[0])
        else:
            network = f"net {min(dice.randrange(12), dice.randrange(12))}"
            places.add(number, network, float(number))
            guests[number] = network, float(number)
        networks = [network for network, _ in guests.values()]
        assert len(places) == len(set(networks))
        asks = f"net {dice.randrange(14)}"
        yielding = places.who_yields(asks, float(number))
        if yielding is None:
            assert not guests
            continue
        network, came_at = guests[yielding]
        most = max(map(networks.count, set(networks)))
        assert networks.count(network) == most
        assert network == asks or networks.count(asks) < most
        assert came_at == min(at for other, at in guests.values() if other == network)
