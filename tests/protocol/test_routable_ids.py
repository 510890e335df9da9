"""Connection ids with a server id are those of QUIC-LB, byte for byte."""

from __future__ import annotations

import pickle
from random import Random
from typing import Any

import pytest

from fastmux.protocol.connection_ids import worker_of
from fastmux.protocol.routable_ids import RoutableIds

KEY = bytes.fromhex("8f95f09245765f80256934e50c66207f")
OTHER_KEY = bytes.fromhex("fdf726a9893ec05c0632d3956680baf0")
# configuration, server id, nonce, key, id
VECTORS = [  # draft-ietf-quic-load-balancers-21, §5.4.2.3 and appendix B
    (0, "31441a", "9c69c275", OTHER_KEY, "0767947d29be054a"),
    (0, "c4605e", "4504cc4f", None, "07c4605e4504cc4f"),
    (0, "ed793a", "ee080dbf", KEY, "0720b1d07b359d3c"),
    (1, "ed793a51d49b8f5fab65", "ee080dbf48", KEY, "2fcc381bc74cb4fbad2823a3d1f8fed2"),
    (2, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", KEY, "504dd2d05a7b0de9b2b9907afb5ecf8cc3"),
    (0, "ed793a51d49b8f5fab", "ee080dbf48c0d1e55d", KEY, "125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc"),
]


@pytest.mark.parametrize(("configuration", "server_id", "nonce", "key", "expected"), VECTORS)
def test_an_id_is_the_one_of_the_draft(
    configuration: int, server_id: str, nonce: str, key: bytes | None, expected: str
) -> None:
    ids = RoutableIds(bytes.fromhex(server_id), len(expected) // 2, configuration, key)
    assert ids.nonce_size == len(nonce) // 2
    made = ids.make(lambda size: bytes.fromhex(nonce)[:size])
    assert made.hex() == expected
    assert ids.server_of(made) == bytes.fromhex(server_id)


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
@pytest.mark.parametrize("size", range(6, 21))
def test_a_balancer_reads_the_server_from_an_id_of_any_size(size: int, key: bytes | None) -> None:
    dice = Random(size)
    for server_size in range(1, size - 4):
        ids = RoutableIds(dice.randbytes(server_size), size, 3, key)
        made = ids.make(dice.randbytes)
        assert len(made) == size
        assert ids.server_of(made) == ids.server_id
        assert ids.server_of(made + b"packet number and payload") == ids.server_id


def test_without_a_key_the_server_is_there_for_all_to_see_and_with_one_it_is_not() -> None:
    dice = Random(2)
    plain, encrypted = RoutableIds(b"\x0a\x0b"), RoutableIds(b"\x0a\x0b", key=KEY)
    assert {plain.make(dice.randbytes)[1:3] for _ in range(200)} == {b"\x0a\x0b"}
    assert len({encrypted.make(dice.randbytes)[1:3] for _ in range(200)}) > 190
    assert (plain.fixed_size, encrypted.fixed_size) == (3, 1)


def test_another_key_reads_another_server() -> None:
    dice = Random(3)
    ours, others = RoutableIds(b"server", 12, key=KEY), RoutableIds(b"server", 12, key=OTHER_KEY)
    assert all(others.server_of(ours.make(dice.randbytes)) != b"server" for _ in range(50))


def test_what_is_not_of_the_scheme_has_no_server() -> None:
    ids = RoutableIds(b"\x01", configuration=2)
    made = ids.make(Random(4).randbytes)
    assert made[0] == 2 << 5 | 7
    assert ids.server_of(made[:-1]) is None
    assert ids.server_of(b"") is None
    for wrong in (0x07, 0x67, 0x46, 0xE7):  # another configuration, another size
        assert ids.server_of(bytes((wrong,)) + made[1:]) is None


def test_the_nonce_keeps_ids_of_one_server_apart() -> None:
    dice = Random(5)
    ids = RoutableIds(b"\x01\x02", key=KEY)
    made = [ids.make(dice.randbytes) for _ in range(3000)]
    assert len(set(made)) == 3000
    assert {worker_of(each, 3) for each in made} == {0, 1, 2}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"server_id": b""}, "server_id"),
        ({"size": 21}, "4 to 20"),
        ({"server_id": b"abcd"}, "leave 3 random ones"),
        ({"server_id": b"abcdefghijkl", "size": 8}, "at least 4 are needed"),
        ({"configuration": 7}, "configuration must be 0 to 6"),
        ({"configuration": -1}, "configuration must be 0 to 6"),
        ({"key": b"short"}, "key must have 16 bytes"),
    ],
    ids=str,
)
def test_a_layout_that_cannot_be_is_refused(wrong: dict[str, Any], text: str) -> None:
    fields: dict[str, Any] = {"server_id": b"ab", "size": 8, "configuration": 0, "key": None} | wrong
    with pytest.raises(ValueError, match=text):
        RoutableIds(**fields)


def test_the_key_is_not_shown_but_goes_along_to_another_process() -> None:
    ids = RoutableIds(b"\x01\x02", key=KEY)
    assert KEY.hex() not in repr(ids)
    assert repr(KEY) not in repr(ids)
    assert pickle.loads(pickle.dumps(ids)) == ids
    assert RoutableIds(b"\x01\x02", key=OTHER_KEY) != ids
