"""The receiving side of a stream."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.constants import FINAL_SIZE_ERROR
from fastmux.exceptions import ProtocolError

DATA = random.Random(7).randbytes(60_000)


def test_bytes_in_order_can_be_read_at_once(core: Any) -> None:
    stream = core.ReceiveStream()
    assert stream.receive(0, b"abc") == 3
    assert stream.receive(3, b"def") == 3
    assert (stream.readable_size, stream.highest_offset) == (6, 6)
    assert stream.read(4) == b"abcd"
    assert stream.read(100) == b"ef"
    assert (stream.read(100), stream.consumed) == (b"", 6)


def test_bytes_behind_a_gap_wait(core: Any) -> None:
    stream = core.ReceiveStream()
    assert stream.receive(3, b"def") == 6
    assert (stream.readable_size, stream.span_count, stream.read(9)) == (0, 1, b"")
    assert stream.receive(0, b"abc") == 0
    assert stream.read(9) == b"abcdef"


@given(seed=st.integers(0, 10_000), size=st.integers(0, 30_000))
def test_any_cut_order_and_overlap_gives_the_bytes_back(core: Any, seed: int, size: int) -> None:
    rng, data = random.Random(seed), DATA[:size]
    runs = [(at, min(size, at + rng.randint(1, 3000))) for at in range(0, size, 1000)]
    rng.shuffle(runs)
    stream, found = core.ReceiveStream(), b""
    for start, stop in runs:
        stream.receive(start, data[start:stop], stop == size)
        if rng.random() < 0.5:
            found += stream.read(rng.randint(0, 5000)) or b""
    if not runs:
        stream.receive(0, b"", True)
    while piece := stream.read(4000):
        found += piece
    for start in range(0, size, 1000):  # what was left out comes again
        stream.receive(start, data[start : start + 1000])
    while piece := stream.read(4000):
        found += piece
    assert found == data


def test_the_first_copy_wins(core: Any) -> None:
    stream = core.ReceiveStream()
    stream.receive(2, b"bb")
    stream.receive(0, b"aaaaaa")
    assert stream.read(10) == b"aabbaa"


def test_fin_ends_the_stream_when_all_is_read(core: Any) -> None:
    stream = core.ReceiveStream()
    stream.receive(0, b"ab", True)
    assert (stream.final_size, stream.is_finished) == (2, False)
    assert (stream.read(10), stream.read(10), stream.is_finished) == (b"ab", None, True)


def test_fin_alone_ends_an_empty_stream(core: Any) -> None:
    stream = core.ReceiveStream()
    assert stream.read(10) == b""
    stream.receive(0, b"", True)
    assert (stream.read(10), stream.is_finished, stream.read_into(bytearray(4))) == (None, True, -1)


def test_a_truncated_stream_never_looks_whole(core: Any) -> None:
    stream = core.ReceiveStream()
    stream.receive(3, b"def", True)
    assert (stream.read(10), stream.is_finished) == (b"", False)


@pytest.mark.parametrize(
    ("offset", "size", "fin"),
    [(0, 7, False), (6, 1, False), (0, 5, True), (6, 1, True), (0, 0, True)],
)
def test_a_final_size_that_changes_or_is_passed_is_an_error(
    core: Any, offset: int, size: int, fin: bool
) -> None:
    stream = core.ReceiveStream()
    stream.receive(3, b"def", True)
    with pytest.raises(ProtocolError) as caught:
        stream.receive(offset, bytes(size), fin)
    assert caught.value.code == FINAL_SIZE_ERROR
    assert (stream.final_size, stream.highest_offset) == (6, 6)


def test_a_final_size_below_what_came_is_an_error(core: Any) -> None:
    stream = core.ReceiveStream()
    stream.receive(0, b"abcdef")
    with pytest.raises(ProtocolError):
        stream.receive(0, b"abc", True)
    with pytest.raises(ProtocolError):
        stream.reset(5)
    assert stream.final_size is None


def test_reset_drops_what_is_held_and_returns_its_credit(core: Any) -> None:
    stream = core.ReceiveStream()
    stream.receive(0, bytes(5000))
    stream.read(1000)
    assert stream.reset(8000) == 7000
    assert (stream.held_size, stream.readable_size, stream.is_finished) == (0, 0, True)
    assert (stream.final_size, stream.highest_offset, stream.consumed) == (8000, 8000, 8000)


def test_read_into_fills_a_buffer(core: Any) -> None:
    stream, buffer = core.ReceiveStream(), bytearray(5)
    assert stream.read_into(buffer) == 0
    stream.receive(0, b"abcdefg")
    assert (stream.read_into(buffer), bytes(buffer)) == (5, b"abcde")
    assert (stream.read_into(memoryview(buffer)[1:]), bytes(buffer)) == (2, b"afgde")


def test_memory_is_what_blocks_with_unread_bytes_take(core: Any) -> None:
    stream = core.ReceiveStream()
    stream.receive(10 * 4096, b"x")
    assert stream.held_size == 4096
    stream.receive(0, bytes(4097))
    assert stream.held_size == 3 * 4096
    stream.read(4096)
    assert stream.held_size == 2 * 4096
    stream.read(1)
    assert stream.held_size == 4096


@pytest.mark.parametrize("far", [200, 2**12, 2**24, 2**49])
def test_blocks_that_lie_far_apart_give_their_bytes_back(core: Any, far: int) -> None:
    """Some in order, some where nothing is around them, and then all of them in order again."""
    stream = core.ReceiveStream()
    size, at = len(DATA), far * 4096 + 100
    stream.receive(0, DATA[:5000])
    for start in range(0, size, 7000):
        stream.receive(at + start, DATA[start : start + 3500])
    stream.receive(4000, DATA[4000:])
    assert stream.held_size <= 4096 * (size // 4096 + 2 + 2 * (size // 7000 + 1))
    assert b"".join(iter(lambda: stream.read(999), b"")) == DATA
    assert stream.span_count == len(range(0, size, 7000))
    for start in range(3500, size, 7000):
        stream.receive(at + start, DATA[start : start + 3500])
    if far < 1000:
        stream.receive(size, bytes(at - size))
        assert stream.read(at - size) == bytes(at - size)
        assert stream.read(size) == DATA
        stream.receive(at + size, DATA)  # an empty stream begins anew
        assert stream.read(size) == DATA
        assert stream.held_size == 0
    else:
        stream.reset(at + size)


def test_an_idle_stream_holds_nothing(core: Any) -> None:
    stream = core.ReceiveStream()
    for at in range(0, 20_000, 100):
        stream.receive(at, bytes(100))
        stream.read(100)
        assert stream.held_size == 0


def test_what_was_read_already_is_of_no_use(core: Any) -> None:
    stream = core.ReceiveStream()
    stream.receive(0, bytes(100))
    stream.read(60)
    assert stream.receive(0, bytes(50)) == 0
    assert stream.receive(40, b"z" * 80) == 20
    assert stream.read(100) == bytes(40) + b"z" * 20


def test_ten_thousand_gaps_are_no_trouble(core: Any) -> None:
    stream = core.ReceiveStream()
    for at in [*range(1, 20_000, 2), *range(0, 20_000, 2)]:
        stream.receive(at, DATA[at : at + 1])
    assert stream.read(30_000) == DATA[:20_000]


def test_an_offset_beyond_the_largest_is_an_overflow_error(core: Any) -> None:
    with pytest.raises(OverflowError):
        core.ReceiveStream().receive(2**62 - 1, b"ab")
