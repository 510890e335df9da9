"""Arguments of opening become the fields of OPEN."""

from __future__ import annotations

from typing import Any

import pytest

from fastmux import constants as c
from fastmux.aio.open_fields import check_priority, encode_label, reliability_of


@pytest.mark.parametrize(
    ("reliable", "max_retransmits", "lifetime", "expected"),
    [
        (True, None, None, (c.RELIABLE, 0)),
        (False, None, None, (c.UNRELIABLE, 0)),
        (True, 0, None, (c.MAX_RETRANSMITS, 0)),
        (True, 3, None, (c.MAX_RETRANSMITS, 3)),
        (True, None, 0.25, (c.LIFETIME, 250)),
    ],
)
def test_the_limit_that_is_given_decides(
    reliable: bool, max_retransmits: int | None, lifetime: float | None, expected: tuple[int, int]
) -> None:
    assert reliability_of(reliable, max_retransmits, lifetime) == expected


@pytest.mark.parametrize(("max_retransmits", "lifetime"), [(1, 1.0), (-1, None), (None, 0.0), (None, -2.0)])
def test_limits_that_cannot_be_are_refused(max_retransmits: int | None, lifetime: float | None) -> None:
    with pytest.raises(ValueError, match="must|both"):
        reliability_of(True, max_retransmits, lifetime)


@pytest.mark.parametrize(("max_retransmits", "lifetime"), [(0, None), (3, None), (None, 1.0), (1, 1.0)])
def test_unreliable_channels_have_no_limits_of_reliability(
    max_retransmits: int | None, lifetime: float | None
) -> None:
    with pytest.raises(ValueError, match="reliable=False|both"):
        reliability_of(False, max_retransmits, lifetime)


@pytest.mark.parametrize("label", [b"x", None, 7])
def test_a_label_that_is_no_text_is_refused(label: Any) -> None:
    with pytest.raises(TypeError, match=r"a label is text \(str\), not"):
        encode_label(label)


def test_a_label_has_at_most_255_bytes_of_utf8() -> None:
    assert encode_label("tür") == b"t\xc3\xbcr"
    assert len(encode_label("x" * 255)) == 255
    with pytest.raises(ValueError, match="not 256"):
        encode_label("ü" * 128)


def test_a_priority_is_a_byte() -> None:
    assert [check_priority(value) for value in (0, 255)] == [0, 255]
    for value in (-1, 256):
        with pytest.raises(ValueError, match="priority"):
            check_priority(value)
