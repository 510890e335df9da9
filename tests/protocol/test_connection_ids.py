"""Schemes of connection ids: random ones, and those that are steered to one of many workers."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.connection_ids import ConnectionIds, RandomIds, SteeredIds, check_worker, worker_of
from fastmux.protocol.routable_ids import RoutableIds
from network import Network
from protocol.scripted import ScriptedHandshake

KEY = bytes(range(16))
SCHEMES: list[ConnectionIds] = [
    RandomIds(),
    RandomIds(20),
    RoutableIds(b"\x05\x06"),
    RoutableIds(b"\x05\x06\x07"),
    RoutableIds(b"\x05\x06", key=KEY),
    RoutableIds(b"a server", size=17, key=KEY),
]


def chi_square(counts: list[int]) -> float:
    """How far counts are from even."""
    mean = sum(counts) / len(counts)
    return sum((count - mean) ** 2 / mean for count in counts)


def test_random_ids_are_what_the_dice_gave() -> None:
    assert RandomIds().make(lambda size: b"abcdefgh"[:size]) == b"abcdefgh"
    assert RandomIds(5).make(Random(1).randbytes) == Random(1).randbytes(5)


@pytest.mark.parametrize("size", [-1, 0, 3, 21])
def test_an_id_has_4_to_20_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="must be 4 to 20"):
        RandomIds(size)


def test_the_worker_is_the_second_word_of_the_id_modulo_their_number() -> None:
    assert worker_of(bytes.fromhex("ffffffff 00000007"), 4) == 3
    assert worker_of(bytes.fromhex("00000000 ffffffff 01"), 256) == 255
    assert worker_of(bytes.fromhex("00000000 80000000"), 7) == 0x80000000 % 7


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16])
def test_random_first_ids_spread_evenly_over_the_workers(count: int) -> None:
    dice = Random(count)
    counts = Counter(worker_of(dice.randbytes(8), count) for _ in range(2000 * count))
    assert len(counts) == count
    assert chi_square(list(counts.values())) < 60  # 15 degrees of freedom: less than one in 10^6


@pytest.mark.parametrize("ids", SCHEMES, ids=repr)
@pytest.mark.parametrize("count", [1, 3, 8])
def test_every_scheme_can_be_steered_to_every_worker(ids: ConnectionIds, count: int) -> None:
    dice = Random(5)
    for index in range(count):
        steered = SteeredIds(ids, index, count)
        made = [steered.make(dice.randbytes) for _ in range(20)]
        assert {worker_of(each, count) for each in made} == {index}
        assert {len(each) for each in made} == {ids.size} == {steered.size}
        assert len(set(made)) == 20
        if isinstance(ids, RoutableIds):
            assert {ids.server_of(each) for each in made} == {ids.server_id}


def test_a_steered_id_keeps_its_other_bits_random() -> None:
    """Each of the 256 values of each byte turns up: no byte is spent on the worker alone."""
    dice = Random(6)
    steered = SteeredIds(RandomIds(), 2, 4)
    made = [steered.make(dice.randbytes) for _ in range(4000)]
    for position in range(7):
        assert len({each[position] for each in made}) == 256
    assert {each[7] % 4 for each in made} == {2}
    assert len({each[7] for each in made}) == 64


def test_steered_ids_can_be_steered_no_further_than_the_rule_looks() -> None:
    assert SteeredIds(RandomIds(), 0, 2).fixed_size == 0
    assert SteeredIds(RoutableIds(b"abc"), 0, 2).fixed_size == 4


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        (RandomIds(7), "at least 8 bytes, not 7"),
        (RoutableIds(b"four", size=12), "at most 4 bytes may be fixed"),
    ],
    ids=repr,
)
def test_ids_that_cannot_be_steered_are_refused(ids: ConnectionIds, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        SteeredIds(ids, 0, 2)


@pytest.mark.parametrize(("index", "count"), [(0, 0), (0, c.MAX_WORKERS + 1), (2, 2), (-1, 2)])
def test_a_worker_is_one_of_1_to_256(index: int, count: int) -> None:
    with pytest.raises(ValueError, match="worker"):
        check_worker(index, count)
    with pytest.raises(ValueError, match="worker"):
        SteeredIds(RandomIds(), index, count)
    check_worker(c.MAX_WORKERS - 1, c.MAX_WORKERS)


def test_an_endpoint_is_addressed_by_ids_of_its_scheme_at_both_ends() -> None:
    network = Network(seed=3)
    ids = SteeredIds(RoutableIds(b"\x21", size=11), 4, 5)
    node = network.add("server", Configuration(connection_ids=ids), lambda: ScriptedHandshake(False))
    client = network.add("client", Configuration(connection_ids=RandomIds(4)))
    connections = [
        client.endpoint.connect(node.address, ScriptedHandshake(True), network.now) for _ in range(10)
    ]
    network.run(lambda: all(connection.has_opened for connection in connections))
    network.run(lambda: len(node.accepted) == 10)
    for end in node.accepted:
        assert worker_of(end.ids.local, 5) == 4
        assert end.ids.local[1:2] == b"\x21"
        assert len(end.ids.local) == 11
    assert {len(connection.ids.local) for connection in connections} == {4}


def test_an_endpoint_does_not_use_an_id_twice() -> None:
    class FewIds:
        """A scheme that repeats itself."""

        size = 8
        fixed_size = 0
        made = 0

        def make(self, random_bytes: object) -> bytes:
            self.made += 1
            return bytes((self.made // 3,)) * 8

    network = Network()
    few = FewIds()
    client = network.add("client", Configuration(connection_ids=few))
    made = [
        client.endpoint.connect(("10.9.9.9", 1), ScriptedHandshake(True), network.now).ids.local
        for _ in range(5)
    ]
    assert len(set(made)) == 5
    assert few.made > 10
