"""Encoding frames."""

from __future__ import annotations

from typing import Any

import pytest

from core.frame_examples import EXAMPLES
from fastmux import constants as c

IDS = [f"{frame[0]:#x}" for frame, _ in EXAMPLES]


@pytest.mark.parametrize(("frame", "form"), EXAMPLES, ids=IDS)
def test_every_type_is_encoded_as_its_example(core: Any, frame: tuple[Any, ...], form: str) -> None:
    assert core.encode_frame(frame).hex() == form


def test_any_sequence_is_a_frame(core: Any) -> None:
    assert core.encode_frame([c.FRAME_STOP, 4, 20]) == core.encode_frame((c.FRAME_STOP, 4, 20))


@pytest.mark.parametrize(
    "frame",
    [
        (),
        (0x05,),
        (0x200, b""),
        (c.FRAME_PING, 1),
        (c.FRAME_STOP, 4),
        (c.FRAME_ACK, 0.0, ()),
        (c.FRAME_MESSAGE_ABANDON, 2, ()),
        (c.FRAME_PATH_CHALLENGE, b"1234567"),
        (c.FRAME_NEW_ID, 1, 0, b"abc", bytes(16)),
        (c.FRAME_NEW_ID, 1, 0, b"abcd", bytes(15)),
        (c.FRAME_CONNECTION_CLOSE, 0, bytes(513)),
        (c.FRAME_OPEN, 2, 0, True, 0, 0, bytes(256)),
    ],
)
def test_what_is_no_frame_is_a_value_error(core: Any, frame: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError):
        core.encode_frame(frame)


@pytest.mark.parametrize(
    "frame",
    [
        (c.FRAME_MAX_DATA, -1),
        (c.FRAME_MAX_DATA, 2**62),
        (c.FRAME_OPEN, 2, 256, True, 0, 0, b""),
        (c.FRAME_OPEN, 2, 0, True, 4, 0, b""),
        (c.FRAME_ACK, 0.0, ((-1, 1),)),
        (c.FRAME_PADDING, 0),
    ],
)
def test_a_number_out_of_range_is_an_overflow_error(core: Any, frame: tuple[Any, ...]) -> None:
    with pytest.raises(OverflowError):
        core.encode_frame(frame)


@pytest.mark.parametrize("frame", [(c.FRAME_MAX_DATA, 1.5), (c.FRAME_DATAGRAM, "text"), ("ping",)])
def test_a_field_of_the_wrong_type_is_a_type_error(core: Any, frame: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        core.encode_frame(frame)
