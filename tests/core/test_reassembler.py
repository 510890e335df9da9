"""Reassembly of one message."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.constants import FINAL_SIZE_ERROR, FRAGMENT_UNIT, FRAME_ENCODING_ERROR, PROTOCOL_VIOLATION
from fastmux.exceptions import ProtocolError


def message(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def units(size: int) -> int:
    return max(1, -(-size // FRAGMENT_UNIT))


def code_of(reassembler: Any, index: int, data: bytes) -> int:
    with pytest.raises(ProtocolError) as caught:
        reassembler.add(index, data)
    code: int = caught.value.code
    return code


@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 4096, 4097, 100_000])
def test_a_message_in_one_run_is_complete(core: Any, size: int) -> None:
    reassembler = core.Reassembler(units(size))
    assert not reassembler.is_complete
    assert reassembler.add(0, message(size))
    assert reassembler.is_complete
    assert reassembler.take() == message(size)


@given(size=st.integers(0, 20_000), seed=st.integers(0, 1000))
def test_runs_of_any_cut_in_any_order_make_the_message(core: Any, size: int, seed: int) -> None:
    rng, data, count = random.Random(seed), message(size), units(size)
    runs, at = [], 0
    while at < count:
        stop = min(count, at + rng.randint(1, 40))
        runs.append((at, data[at * FRAGMENT_UNIT : stop * FRAGMENT_UNIT]))
        at = stop
    rng.shuffle(runs)
    reassembler = core.Reassembler(count)
    for index, run in runs:
        assert not reassembler.is_complete
        assert reassembler.add(index, run)
        assert not reassembler.add(index, run)
    assert reassembler.take() == data


def test_the_first_copy_wins(core: Any) -> None:
    reassembler = core.Reassembler(3)
    reassembler.add(1, b"a" * 128)
    assert reassembler.add(0, b"b" * 384)
    assert reassembler.take() == b"b" * 128 + b"a" * 128 + b"b" * 128


def test_a_run_that_is_not_whole_units_is_an_encoding_error(core: Any) -> None:
    assert code_of(core.Reassembler(3), 0, bytes(100)) == FRAME_ENCODING_ERROR
    assert code_of(core.Reassembler(3), 0, bytes(200)) == FRAME_ENCODING_ERROR
    assert code_of(core.Reassembler(3), 1, b"") == FRAME_ENCODING_ERROR
    assert code_of(core.Reassembler(3), 2, b"") == FRAME_ENCODING_ERROR


def test_a_run_outside_the_message_is_a_violation(core: Any) -> None:
    assert code_of(core.Reassembler(3), 3, bytes(10)) == PROTOCOL_VIOLATION
    assert code_of(core.Reassembler(3), 2, bytes(129)) == PROTOCOL_VIOLATION
    assert code_of(core.Reassembler(1), 1, b"") == PROTOCOL_VIOLATION


def test_a_last_unit_of_another_length_is_a_final_size_error(core: Any) -> None:
    reassembler = core.Reassembler(3)
    reassembler.add(2, bytes(50))
    assert code_of(reassembler, 1, bytes(128 + 51)) == FINAL_SIZE_ERROR
    assert reassembler.add(1, bytes(128 + 50))
    assert reassembler.add(0, bytes(128))
    assert len(reassembler.take()) == 306


def test_memory_follows_the_bytes_not_the_announced_count(core: Any) -> None:
    reassembler = core.Reassembler(2**40)
    assert reassembler.held_size == 0
    reassembler.add(2**39, bytes(128))
    assert (reassembler.held_size, reassembler.span_count) == (4096, 1)
    reassembler.add(2**39 + 2, bytes(128))
    assert (reassembler.held_size, reassembler.span_count) == (4096, 2)


def test_a_small_message_holds_a_small_block(core: Any) -> None:
    reassembler = core.Reassembler(2)
    reassembler.add(0, bytes(128))
    assert reassembler.held_size == 256


def test_taking_what_is_not_complete_is_a_value_error(core: Any) -> None:
    with pytest.raises(ValueError):
        core.Reassembler(1).take()


def test_a_message_has_at_least_one_unit(core: Any) -> None:
    with pytest.raises(ValueError):
        core.Reassembler(0)
    with pytest.raises(OverflowError):
        core.Reassembler(-1)


def test_worst_order_of_ten_thousand_units_is_no_trouble(core: Any) -> None:
    count = 10_000
    reassembler = core.Reassembler(count)
    for index in [*range(0, count, 2), *range(1, count, 2)]:
        reassembler.add(index, bytes(128))
    assert reassembler.is_complete
    assert reassembler.span_count == 1


def test_a_message_is_taken_once(core: Any) -> None:
    reassembler = core.Reassembler(1)
    reassembler.add(0, b"x")
    assert reassembler.take() == b"x"
    with pytest.raises(ValueError, match="not complete"):
        reassembler.take()
