"""Arguments that run code of their own, and collections at a bad moment: a closed path is never looked at.

A compiled core that gets this wrong reads freed memory: with luck the process ends at once.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conftest import load_core
from core.pump import Pump
from fastmux import constants as c
from fastmux.exceptions import ClosedResourceError, ProtocolError


class Closing:
    """An integer that closes a path when it is asked for its value."""

    def __init__(self, path: Any, value: int) -> None:
        self.path = path
        self.value = value

    def __index__(self) -> int:
        self.path.close()
        return self.value


CALLS: dict[str, Callable[[Any, Any], object]] = {
    "unsent_size": lambda path, number: path.unsent_size(number),
    "readable_size": lambda path, number: path.readable_size(number),
    "open_fields": lambda path, number: path.open_fields(number),
    "set_priority": lambda path, number: path.set_priority(number, 3),
    "write": lambda path, number: path.write(number, b"more"),
    "read": lambda path, number: path.read(number, 10),
    "read_into": lambda path, number: path.read_into(number, bytearray(10)),
    "finish": lambda path, number: path.finish(number),
    "reset": lambda path, number: path.reset(number, 1),
    "stop": lambda path, number: path.stop(number, 1),
    "release": lambda path, number: path.release(number),
    "watch_delivered": lambda path, number: path.watch_delivered(number),
    "is_finished": lambda path, number: path.is_finished(number),
    "reset_code": lambda path, number: path.reset_code(number),
    "stop_code": lambda path, number: path.stop_code(number),
    "set_limit": lambda path, number: path.set_limit(number, 10**6, 10**6),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_channel_id_may_close_the_path(core: Any, name: str) -> None:
    pump = Pump(core)
    channels = [pump.client.open(c.KIND_STREAM) for _ in range(40)]
    with pytest.raises(ClosedResourceError):
        CALLS[name](pump.client, Closing(pump.client, channels[0]))
    pump.server.close()


def test_a_message_channels_id_may_close_the_path(core: Any) -> None:
    calls: list[Callable[[Any, Any], object]] = [
        lambda path, number: path.send_message(number, b"x", 1.0),
        lambda path, number: path.send_messages(number, [b"x"], 1.0),
        lambda path, number: path.take_message(number),
        lambda path, number: path.take_messages(number, 5),
    ]
    for call in calls:
        pump = Pump(core)
        channel = pump.client.open(c.KIND_MESSAGE)
        with pytest.raises(ClosedResourceError):
            call(pump.client, Closing(pump.client, channel))
        pump.server.close()


class Garbage:
    """What only the collector frees; it runs `call` then."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.myself = self
        self.call = call

    def __del__(self) -> None:
        self.call()


@pytest.fixture
def eager() -> Iterator[Callable[[Callable[[], object], Callable[[], object]], None]]:
    """Makes a call with a collection at every allocation that may set one off, and garbage to be found."""
    before = gc.get_threshold()

    def run(finalizer: Callable[[], object], call: Callable[[], object]) -> None:
        gc.collect()
        gc.disable()
        Garbage(finalizer)
        gc.set_threshold(1, 10, 10)
        gc.enable()
        try:
            call()
        finally:
            gc.disable()
            gc.set_threshold(*before)

    yield run
    gc.set_threshold(*before)
    gc.enable()
    gc.collect()


def test_the_compiled_core_lets_no_python_in_while_it_takes_a_packet(eager: Any) -> None:
    """An ACK for the first packet is due when the train ends: who sees none is in the middle of it."""
    pump = Pump(load_core("cython"))
    pump.server.set_ack_policy(0, 0.0, 1)
    train = bytearray(200)
    label = pump.core.encode_frame((c.FRAME_OPEN, 0, 0, True, 0, 0, b"aa"))[:-1] + b"\xff"
    for at, payload in ((0, b"\x01"), (100, b"\x01" + label)):
        assert pump.client.build_packet(memoryview(train)[at:], payload, 100, 0, pump.now) == 100
    seen: list[float | None] = []

    with pytest.raises(ProtocolError):
        eager(
            lambda: seen.append(pump.server.deadlines().ack_at),
            lambda: pump.server.receive(train, 0, 200, 100, 100.0),
        )
    assert None not in seen
    pump.close()


LISTED: dict[str, Callable[[Any, Any], object]] = {
    "iter": lambda found, _: iter(found),
    "repr": lambda found, _: repr(found),
    "missing": lambda found, _: found.missing(0, 1 << 40),
    "eq": lambda found, same: found == same,
}


@pytest.mark.parametrize("name", LISTED)
def test_a_set_that_a_collection_clears_is_listed_as_it_was(eager: Any, name: str) -> None:
    """The compiled core walked memory that was free by then. What stands there now comes from others."""
    core = load_core("cython")
    pairs = [(2 * number, 2 * number + 1) for number in range(20_000)]
    found, whole = core.RangeSet(pairs), core.RangeSet(pairs)
    expected = {"iter": pairs, "repr": repr(whole), "missing": whole.missing(0, 1 << 40), "eq": True}
    cleared, listed = list[bool](), list[Any]()

    def clear() -> None:
        cleared.append(True)
        found.clear()
        core.RangeSet([(place << 40, (place << 40) + 1) for place in range(20_000)])

    eager(clear, lambda: listed.append(LISTED[name](found, whole)))
    assert cleared
    assert [list(way) if name == "iter" else way for way in listed] == [expected[name]]
