"""Variable-length integers and packet numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.constants import FRAME_ENCODING_ERROR, MAX_VARINT
from fastmux.exceptions import ProtocolError

# RFC 9000 A.1
VECTORS = [
    (151288809941952652, "c2197c5eff14e88c"),
    (494878333, "9d7f3e7d"),
    (15293, "7bbd"),
    (37, "25"),
]


@pytest.mark.parametrize(("value", "form"), VECTORS)
def test_the_examples_of_the_rfc_are_read_and_written(core: Any, value: int, form: str) -> None:
    assert core.encode_varint(value).hex() == form
    assert core.decode_varint(bytes.fromhex(form)) == (value, len(form) // 2)


def test_a_longer_form_than_needed_is_read(core: Any) -> None:
    assert core.decode_varint(bytes.fromhex("4025")) == (37, 2)
    assert core.decode_varint(bytes.fromhex("c000000000000025")) == (37, 8)


@pytest.mark.parametrize(
    ("value", "size"),
    [(0, 1), (63, 1), (64, 2), (16383, 2), (16384, 4), (2**30 - 1, 4), (2**30, 8), (MAX_VARINT, 8)],
)
def test_the_shortest_form_is_written(core: Any, value: int, size: int) -> None:
    assert core.varint_size(value) == size == len(core.encode_varint(value))


@given(value=st.integers(0, MAX_VARINT), prefix=st.binary(max_size=3), suffix=st.binary(max_size=3))
def test_what_is_written_is_read_back_wherever_it_stands(
    core: Any, value: int, prefix: bytes, suffix: bytes
) -> None:
    form = core.encode_varint(value)
    stop = len(prefix) + len(form)
    assert core.decode_varint(prefix + form + suffix, len(prefix)) == (value, stop)


@pytest.mark.parametrize("form", ["", "40", "800000", "c0000000000000"])
def test_a_varint_that_is_cut_off_is_a_protocol_error(core: Any, form: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        core.decode_varint(bytes.fromhex(form))
    assert caught.value.code == FRAME_ENCODING_ERROR


def test_an_offset_behind_the_buffer_is_a_protocol_error(core: Any) -> None:
    with pytest.raises(ProtocolError):
        core.decode_varint(b"\x25", 9)


@pytest.mark.parametrize("value", [-1, MAX_VARINT + 1, 2**64])
def test_an_integer_out_of_range_is_an_overflow_error(core: Any, value: int) -> None:
    with pytest.raises(OverflowError):
        core.encode_varint(value)
    with pytest.raises(OverflowError):
        core.varint_size(value)


def test_the_example_packet_number_of_the_rfc_is_decoded(core: Any) -> None:
    # RFC 9000 A.3 has 16 bits; with 32 bits the same numbers need no correction
    assert core.decode_packet_number(0xA82F9B32, 0xA82F30EA) == 0xA82F9B32


@given(largest=st.integers(-1, 2**60), distance=st.integers(-(2**31) + 1, 2**31 - 1))
def test_a_number_within_half_the_window_is_decoded_exactly(core: Any, largest: int, distance: int) -> None:
    number = max(0, largest + 1 + distance)
    if abs(number - largest - 1) < 2**31:
        assert core.decode_packet_number(number & 0xFFFFFFFF, largest) == number


@pytest.mark.parametrize("expected", [2**33, 2**33 + 1, 2**33 + 2**31, 2**40 - 1])
def test_of_two_numbers_equally_far_the_higher_one_is_decoded(core: Any, expected: int) -> None:
    # RFC 9000 A.3: (expected - window / 2, expected + window / 2]
    higher = expected + 2**31
    assert core.decode_packet_number(higher & 0xFFFFFFFF, expected - 1) == higher


def test_the_first_packet_number_is_decoded_without_any_before(core: Any) -> None:
    assert core.decode_packet_number(0, -1) == 0


@pytest.mark.parametrize("truncated", [0xFFFFFFFF, 0xFFFFFFFE, 0x80000000, 1, 0])
@pytest.mark.parametrize("distance", [0, 1, 2**31 - 1])
def test_a_packet_number_never_passes_the_largest_there_is(core: Any, truncated: int, distance: int) -> None:
    # found by fuzzing (headers-62441724bb3f): such a number could be acknowledged in no frame
    number = core.decode_packet_number(truncated, MAX_VARINT - distance)
    assert number <= MAX_VARINT
    assert number & 0xFFFFFFFF == truncated
