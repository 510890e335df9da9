"""Both cores read and write the same frames and headers, and refuse the same ones."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from core.frame_examples import EXAMPLES, frames
from fastmux.constants import VERSION_1, VERSION_PLAINTEXT
from twins.twins import both

numbers = st.one_of(st.integers(-2, 300), st.integers(-(2**64), 2**64), st.sampled_from([2**62 - 1, 2**62]))
small = st.binary(max_size=20)
versions = st.sampled_from([0, VERSION_1, VERSION_PLAINTEXT, 0x0A1A2A3A])


@given(payload=st.binary(max_size=200), most=st.integers(-1, 20))
@example(payload=b"", most=0)
def test_arbitrary_payloads_parse_alike(payload: bytes, most: int) -> None:
    both("parse_frames", payload)
    both("parse_frames", payload, most)


@given(drawn=st.lists(frames, min_size=1, max_size=4), seed=st.integers(0, 10_000), changes=st.integers(0, 4))
def test_damaged_frames_parse_alike(drawn: list[tuple[Any, ...]], seed: int, changes: int) -> None:
    forms = [both("encode_frame", frame)[1] for frame in drawn]
    payload, rng = bytearray(b"".join(forms)), random.Random(seed)
    for _ in range(changes):
        payload[rng.randrange(len(payload))] = rng.choice(
            [0, 1, 0x3F, 0x40, 0x80, 0xC0, 0xFF, rng.randrange(256)]
        )
    if changes:
        payload = payload[: rng.randint(1, len(payload))]
    parsed = both("parse_frames", bytes(payload))
    if not changes:
        assert parsed == ("value", drawn)


def test_every_cut_and_bit_of_the_examples_parses_alike() -> None:
    for _, form in EXAMPLES:
        whole = bytes.fromhex(form)
        for stop in range(len(whole)):
            both("parse_frames", whole[:stop])
        for bit in range(8 * len(whole)):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            both("parse_frames", bytes(damaged))


@given(frame=st.lists(st.one_of(numbers, st.binary(max_size=30), st.booleans()), max_size=7))
def test_what_is_hardly_a_frame_is_encoded_or_refused_alike(frame: list[object]) -> None:
    if len(frame) > 1 and frame[0] == 0 and isinstance(frame[1], int) and frame[1] > 2**20:
        frame[1] = 2**20  # that much PADDING
    both("encode_frame", frame)


@given(value=numbers, offset=numbers, buffer=st.binary(max_size=12))
def test_varints_are_coded_alike(value: int, offset: int, buffer: bytes) -> None:
    both("varint_size", value)
    both("encode_varint", value)
    both("decode_varint", buffer, offset)
    both("decode_varint", buffer, min(abs(offset), len(buffer)))


@given(truncated=st.integers(-1, 2**32), largest=st.one_of(numbers, st.integers(0, 2**62 - 1)))
def test_packet_numbers_are_decoded_alike(truncated: int, largest: int) -> None:
    both("decode_packet_number", truncated, largest)


@given(
    kind=st.sampled_from([0x00, 0x10, 0x30]),
    version=versions,
    to_id=st.binary(max_size=22),
    from_id=st.binary(max_size=22),
    token=st.binary(max_size=100),
    number=numbers,
)
def test_headers_are_encoded_alike(
    kind: int, version: int, to_id: bytes, from_id: bytes, token: bytes, number: int
) -> None:
    both("encode_long_header", kind, version, to_id, from_id, token, number)
    both("encode_short_header", to_id, number, kind & 1)


@given(first=st.integers(0, 255), version=versions, rest=st.binary(max_size=90), start=numbers, stop=numbers)
def test_headers_are_parsed_alike(first: int, version: int, rest: bytes, start: int, stop: int) -> None:
    packet = bytes([first]) + version.to_bytes(4, "big") + rest
    both("parse_long_header", packet, 0, len(packet))
    both("parse_long_header", packet, start, stop)


@given(
    version=versions,
    to_id=st.binary(max_size=24),
    from_id=st.binary(max_size=24),
    rest=st.binary(max_size=20),
)
def test_headers_with_ids_of_any_size_are_parsed_alike(
    version: int, to_id: bytes, from_id: bytes, rest: bytes
) -> None:
    ids = bytes([len(to_id)]) + to_id + bytes([len(from_id)]) + from_id
    packet = b"\xc0" + version.to_bytes(4, "big") + ids + rest
    both("parse_long_header", packet, 0, len(packet))
