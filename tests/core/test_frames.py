"""Parsing frames."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.frame_examples import EXAMPLES, frames
from fastmux import constants as c
from fastmux.exceptions import ProtocolError

IDS = [f"{frame[0]:#x}" for frame, _ in EXAMPLES]


def code_of(core: Any, payload: bytes) -> int:
    with pytest.raises(ProtocolError) as caught:
        core.parse_frames(payload)
    code: int = caught.value.code
    return code


@pytest.mark.parametrize(("frame", "form"), EXAMPLES, ids=IDS)
def test_every_type_is_parsed_from_its_example(core: Any, frame: tuple[Any, ...], form: str) -> None:
    assert core.parse_frames(bytes.fromhex(form)) == [frame]


@pytest.mark.parametrize(("frame", "form"), EXAMPLES[1:], ids=IDS[1:])
def test_every_cut_of_a_frame_is_an_encoding_error(core: Any, frame: tuple[Any, ...], form: str) -> None:
    whole = bytes.fromhex(form)
    for stop in range(len(whole)):
        assert code_of(core, whole[:stop]) == c.FRAME_ENCODING_ERROR


def test_frames_follow_each_other(core: Any) -> None:
    payload = b"".join(bytes.fromhex(form) for _, form in EXAMPLES)
    parsed = core.parse_frames(payload)
    assert [frame[0] for frame in parsed] == [frame[0] for frame, _ in EXAMPLES]


def test_an_empty_payload_is_an_encoding_error(core: Any) -> None:
    assert code_of(core, b"") == c.FRAME_ENCODING_ERROR


@pytest.mark.parametrize(
    "form", ["04", "05", "09", "0f", "15", "17", "1a", "1d", "23", "2b", "35", "3f", "4200"]
)
def test_an_unknown_type_is_an_encoding_error(core: Any, form: str) -> None:
    assert code_of(core, bytes.fromhex(form) + bytes(40)) == c.FRAME_ENCODING_ERROR


@pytest.mark.parametrize("kind", [0x10, 0x11])
def test_a_stream_frame_without_length_runs_to_the_end(core: Any, kind: int) -> None:
    (frame,) = core.parse_frames(bytes([kind, 4, 9]) + b"the rest\x01")
    assert frame == (c.FRAME_STREAM, 4, 9, b"the rest\x01", kind == 0x11)


def test_a_message_or_datagram_without_length_runs_to_the_end(core: Any) -> None:
    assert core.parse_frames(b"\x14\x02\x07\x03\x09rest") == [(c.FRAME_MESSAGE, 2, 7, 3, 9, b"rest")]
    assert core.parse_frames(b"\x1crest") == [(c.FRAME_DATAGRAM, b"rest")]


def test_a_run_of_padding_is_one_frame(core: Any) -> None:
    assert core.parse_frames(bytes(500) + b"\x01") == [(c.FRAME_PADDING, 500), (c.FRAME_PING,)]


def test_a_type_in_a_long_form_is_understood(core: Any) -> None:
    assert core.parse_frames(b"\x40\x01") == [(c.FRAME_PING,)]


def test_more_ack_ranges_than_accepted_close_the_connection(core: Any) -> None:
    head = b"\x02" + core.encode_varint(10_000) + b"\x00"
    ranges = b"\x00\x00" * 300
    assert len(core.parse_frames(head + core.encode_varint(255) + b"\x00" + ranges[:510])[0][2]) == 256
    assert code_of(core, head + core.encode_varint(256) + b"\x00" + ranges) == c.PROTOCOL_VIOLATION


@pytest.mark.parametrize("form", ["0205000006", "02050001000203"])
def test_an_ack_range_below_zero_is_an_encoding_error(core: Any, form: str) -> None:
    assert code_of(core, bytes.fromhex(form)) == c.FRAME_ENCODING_ERROR


@pytest.mark.parametrize(
    "form",
    [
        "200200080000",  # reserved flag of OPEN
        "200200000002fffe",  # label that is not UTF-8
        "20020000004100" + "61" * 256,  # label too long
        "2a0205",  # unknown kind
        "2a00d000000000000001",  # too many channels
        "190200",  # abandons nothing
        "3001020461626364" + "00" * 16,  # retires more than it gives
        "30010003616263" + "00" * 16,  # id too short
        "30010015" + "61" * 21 + "00" * 16,  # id too long
        "38004201" + "61" * 513,  # reason too long
        "1204ffffffffffffffff0161",  # beyond the largest offset
        "06ffffffffffffffff0161",
    ],
)
def test_a_malformed_field_is_an_encoding_error(core: Any, form: str) -> None:
    assert code_of(core, bytes.fromhex(form)) == c.FRAME_ENCODING_ERROR


@given(payload=st.binary(max_size=120))
def test_arbitrary_bytes_give_frames_or_a_protocol_error(core: Any, payload: bytes) -> None:
    try:
        parsed = core.parse_frames(payload)
    except ProtocolError:
        return
    assert parsed


@given(drawn=st.lists(frames, min_size=1, max_size=5))
def test_what_is_encoded_is_parsed_back(core: Any, drawn: list[tuple[Any, ...]]) -> None:
    assert core.parse_frames(b"".join(map(core.encode_frame, drawn))) == drawn


@pytest.mark.parametrize("frame", [b"\x01", bytes.fromhex("06000141"), bytes.fromhex("33") + bytes(8)])
def test_no_more_frames_are_made_than_were_asked_for(core: Any, frame: bytes) -> None:
    assert len(core.parse_frames(frame * 5, 5)) == 5
    assert len(core.parse_frames(frame * 5 + bytes(100), 6)) == 6  # a run of PADDING is one
    for most in (0, 1, 4):
        with pytest.raises(ProtocolError) as caught:
            core.parse_frames(frame * 5, most)
        assert caught.value.code == c.FRAME_ENCODING_ERROR
        assert "too many frames" in str(caught.value)


@pytest.mark.parametrize(("most", "error"), [(-1, OverflowError), (1 << 62, OverflowError), (1.0, TypeError)])
def test_a_number_of_frames_is_an_integer(core: Any, most: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        core.parse_frames(b"\x01", most)


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def takes_label(core: Any, label: bytes) -> bool:
    """True if an OPEN frame with this label is parsed to it; False if it is a FRAME_ENCODING_ERROR."""
    payload = bytes((c.FRAME_OPEN, 0, 0, 1, 0)) + core.encode_varint(len(label)) + label
    try:
        ((*_, parsed),) = core.parse_frames(payload)
    except ProtocolError as error:
        assert error.code == c.FRAME_ENCODING_ERROR
        return False
    return bool(parsed == label)


@pytest.mark.parametrize("tail", [b"", b"\x80", b"\x80\x80", b"\xbf\xbf", b"\x7f\x80", b"\x80\xc0", b"aaa"])
def test_a_label_is_text_exactly_if_python_can_decode_it(core: Any, tail: bytes) -> None:
    """Every pair of first bytes: overlong forms, surrogates, what is above U+10FFFF, what is cut off."""
    for first in range(256):
        for second in range(256) if first >= 0x80 else (0x00, 0x7F, 0x80, 0xC2, 0xFF):
            label = bytes((first, second)) + tail
            assert takes_label(core, label) == is_utf8(label), label.hex()


characters = st.characters().map(lambda character: character.encode("utf-8", "surrogatepass"))
pieces = characters | st.binary(max_size=2)


@given(label=st.lists(pieces, max_size=20).map(lambda parts: b"".join(parts)[: c.MAX_LABEL_SIZE]))
def test_any_label_is_text_exactly_if_python_can_decode_it(core: Any, label: bytes) -> None:
    assert takes_label(core, label) == is_utf8(label)
