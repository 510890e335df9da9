"""The walk itself: it finds what nobody bounds, and what is beyond its bound, wherever that hangs."""

from __future__ import annotations

import importlib
from collections import deque
from typing import Any

import pytest

from aio.pair import pair as ends_of_aio
from aio.virtual_loop import virtual
from budget.containers import BOUNDS
from budget.walking import Uncharged, check, containers
from fastmux import constants as c
from fastmux import core
from fastmux.aio.stream import Stream
from protocol.pairs import Pair, make_pair, transfer


@pytest.fixture
def pair() -> Pair:
    pair = make_pair().open()
    transfer(pair, bytes(100_000))
    return pair


def test_an_endpoint_and_a_connection_in_use_are_within_bounds(pair: Pair) -> None:
    for root in (pair.server.endpoint, pair.client.endpoint, pair.accepted, pair.connection):
        check(root)


def test_a_connection_that_is_over_is_within_bounds(pair: Pair) -> None:
    pair.connection.close(7, "bye", pair.network.now)
    pair.network.run_for(0.5)
    assert pair.accepted.is_closed
    check(pair.server.endpoint)
    check(pair.connection)


@pytest.mark.parametrize("made", [dict, list, set, deque, bytearray])
def test_a_container_that_nobody_bounds_is_named(pair: Pair, made: type) -> None:
    vars(pair.server.endpoint)["_forgotten"] = made()
    with pytest.raises(Uncharged, match=r"^protocol\.endpoint\.Endpoint\._forgotten: nobody bounds it$"):
        check(pair.server.endpoint)


def test_a_container_inside_another_is_named(pair: Pair) -> None:
    table: dict[bytes, Any] = vars(pair.server.endpoint)["_by_id"]
    table[b"id"] = deque()
    with pytest.raises(Uncharged, match=r"Endpoint\._by_id\[\]: nobody bounds it"):
        check(pair.server.endpoint)


def test_bytes_that_grow_by_taking_each_others_place_are_named(pair: Pair) -> None:
    pair.accepted.ids = pair.accepted.ids._replace(first=bytes(1000))
    with pytest.raises(Uncharged, match=r"Ids\.first: 1000 entries, and nobody bounds it"):
        check(pair.accepted)


def test_a_container_beyond_its_bound_is_named_with_its_reason(pair: Pair) -> None:
    waiting = pair.server.endpoint.answers.waiting
    waiting.extend([(b"", ("10.0.0.1", 1))] * (c.MAX_ANSWERS + 1))
    with pytest.raises(Uncharged, match=r"waiting: 65 entries, at most 64 are allowed \(MAX_ANSWERS\)"):
        check(pair.server.endpoint)


@pytest.mark.parametrize("which", ["queued", "_reports"])
def test_the_walk_goes_down_to_the_parts_of_the_pure_core(which: str) -> None:
    path: Any = core.DataPath(True, b"12345678")
    names = {name for _, name, _ in containers(path)}
    path.close()
    assert (f"_core_py.control.Control.{which}" in names) == (core.IMPLEMENTATION == "python")


def test_every_bound_speaks_of_a_class_that_exists() -> None:
    """A container that was renamed must not leave its old name in the table."""
    for name in BOUNDS:
        *rooms, owner, _ = name.replace("[]", "").split(".")
        module = importlib.import_module(".".join(("fastmux", *rooms)))
        assert isinstance(getattr(module, owner, None), type), name


@virtual
async def test_both_ends_of_asyncio_are_within_bounds_in_use_and_afterwards() -> None:
    async with ends_of_aio() as ends:
        streams: list[Stream] = []
        for _ in range(20):
            streams += await ends.stream()
            await streams[-1].send(bytes(10_000))
        for _ in range(50):
            ends.client.send_datagram(b"x" * 100)
        await ends.client.ping()
        streams.append(await ends.client.open_stream("nobody accepts it"))
        for root in (ends.world.server, ends.server, ends.client):
            check(root)
        names = {name for _, name, _ in containers(ends.world.server)}
        assert {"aio.incoming.Incoming._waiting", "protocol.endpoint.Endpoint._by_id"} <= names
        for stream in streams:
            stream.reset()
            await stream.aclose()
    check(ends.client)
