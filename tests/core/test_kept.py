"""What is kept by reference until it is acknowledged, what is copied; that neither shows a later change."""

from __future__ import annotations

import array
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from core.pump import Pump
from fastmux import constants as c

ENDLESS = 2**62 - 1
SIZE = 200_000
PATTERN = bytes(range(256)) * 1000

Maker = Callable[[bytes], Any]


def fresh(size: int = SIZE) -> bytes:
    """Bytes that nobody else refers to."""
    return b"".join([PATTERN[:size]])


def array_over_a_view(data: bytes) -> Any:
    return numpy.frombuffer(memoryview(data), dtype=numpy.uint8)


UNCHANGING: dict[str, Maker] = {
    "bytes": lambda data: data,
    "memoryview": memoryview,
    "memoryview of other items": lambda data: memoryview(data).cast("Q"),
    "memoryview of a part": lambda data: memoryview(data)[8:],
    "memoryview of a memoryview": lambda data: memoryview(memoryview(data)[10:])[10:-10],
    "PickleBuffer": pickle.PickleBuffer,
    "numpy array": lambda data: numpy.frombuffer(data, dtype=numpy.uint64),
    "numpy array of a part": lambda data: numpy.frombuffer(data, dtype=numpy.uint8)[3:],
    "numpy array over a memoryview": array_over_a_view,
    "memoryview of a numpy array": lambda data: numpy.frombuffer(data, dtype=numpy.uint16).data,
}


def read_only_array(data: bytes) -> Any:
    """An array that refuses to be written, while a view that was made before does not."""
    owner = numpy.frombuffer(data, dtype=numpy.uint8).copy()
    owner.setflags(write=False)
    return owner


class OfBytes(bytes):
    """A subclass: what its buffer shows is its own affair."""


class OfArray(numpy.ndarray[Any, Any]):
    """A subclass, too."""


CHANGING: dict[str, Maker] = {
    "bytearray": bytearray,
    "read-only view of a bytearray": lambda data: memoryview(bytearray(data)).toreadonly(),
    "array": lambda data: array.array("B", data),
    "numpy array": lambda data: numpy.frombuffer(data, dtype=numpy.uint8).copy(),
    "numpy array that only refuses": read_only_array,
    "view of one": lambda data: read_only_array(data)[:],
    "subclass of bytes": OfBytes,
    "subclass of a numpy array": lambda data: numpy.frombuffer(data, dtype=numpy.uint8).view(OfArray),
}


def references(data: bytes) -> int:
    return sys.getrefcount(data)


@pytest.mark.parametrize("kind", UNCHANGING)
def test_a_stream_keeps_what_cannot_change_and_lets_go_of_it(core: Any, kind: str) -> None:
    data = fresh()
    stream = core.SendStream()
    made = UNCHANGING[kind](data)
    expected = memoryview(made).tobytes()
    del made
    before = references(data)
    stream.write(UNCHANGING[kind](data))
    assert references(data) > before, "it was copied"
    start, sent, _ = stream.next_range(len(expected), ENDLESS)
    assert (start, sent) == (0, expected)
    del sent, expected  # the pure core may give the very bytes
    stream.on_acked(0, SIZE, False)
    assert references(data) == before


@pytest.mark.parametrize("kind", UNCHANGING)
def test_a_message_channel_keeps_what_cannot_change_and_lets_go_of_it(pump: Pump, kind: str) -> None:
    channel = pump.client.open(c.KIND_MESSAGE)
    data = fresh()
    before = references(data)
    expected = memoryview(UNCHANGING[kind](data)).tobytes()
    pump.client.send_message(channel, UNCHANGING[kind](data), pump.now)
    assert references(data) > before, "it was copied"
    for _ in range(20):
        pump.pump()
    assert pump.server.take_message(channel) == expected
    assert references(data) == before


@pytest.mark.parametrize("kind", CHANGING)
def test_anything_else_is_copied(core: Any, kind: str) -> None:
    stream = core.SendStream()
    made = CHANGING[kind](fresh())
    before = sys.getrefcount(made)
    stream.write(made)
    assert sys.getrefcount(made) == before
    assert stream.next_range(SIZE, ENDLESS) == (0, fresh(), False)


@pytest.mark.parametrize("kind", ["bytearray", "array", "numpy array", "read-only view of a bytearray"])
def test_a_change_after_the_write_is_not_sent(core: Any, kind: str) -> None:
    stream = core.SendStream()
    made = CHANGING[kind](fresh())
    stream.write(made)
    writable = made.obj if isinstance(made, memoryview) else made
    memoryview(writable).cast("B")[:] = bytes(SIZE)
    assert stream.next_range(SIZE, ENDLESS) == (0, fresh(), False)


def test_an_array_that_can_be_made_writable_again_is_not_trusted(core: Any) -> None:
    stream = core.SendStream()
    made = read_only_array(fresh())
    stream.write(made)
    made.setflags(write=True)
    made[:] = 0
    assert stream.next_range(SIZE, ENDLESS) == (0, fresh(), False)


def test_a_view_may_be_released_after_the_write(core: Any) -> None:
    stream = core.SendStream()
    whole, part = memoryview(fresh()), memoryview(fresh())[5:]
    for view in (whole, part):
        stream.write(view)
        view.release()
    assert stream.next_range(SIZE, ENDLESS) == (0, fresh(), False)
    assert stream.next_range(SIZE, ENDLESS) == (SIZE, fresh()[5:], False)


def test_a_small_part_does_not_keep_the_whole_alive(core: Any) -> None:
    data = fresh()
    before = references(data)
    stream = core.SendStream()
    stream.write(memoryview(data)[: SIZE // 2 - 1])
    assert references(data) == before
    stream.write(memoryview(data)[: SIZE // 2])
    assert references(data) > before
    assert stream.next_range(SIZE, ENDLESS) == (0, data[: SIZE // 2 - 1] + data[: SIZE // 2], False)


def test_a_class_that_calls_itself_an_array_is_not_believed(
    core: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", types.ModuleType("numpy"))
    data = fresh()
    before = references(data)
    stream = core.SendStream()
    made = numpy.frombuffer(data, dtype=numpy.uint8)
    stream.write(made)
    del made
    assert references(data) == before
    assert stream.next_range(SIZE, ENDLESS) == (0, data, False)


def test_a_stretched_array_over_bytes_is_copied(core: Any) -> None:
    """The same byte again and again is not the memory that stands there."""
    data = fresh(2000)
    stretched = numpy.lib.stride_tricks.as_strided(
        numpy.frombuffer(data, dtype=numpy.uint8), shape=(2000,), strides=(0,)
    )
    stream = core.SendStream()
    with pytest.raises((BufferError, ValueError)):
        stream.write(stretched)
    stream.write(numpy.ascontiguousarray(stretched))
    assert stream.next_range(SIZE, ENDLESS) == (0, data[:1] * 2000, False)
