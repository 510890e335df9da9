"""What waits for room, and its limits."""

from __future__ import annotations

import pytest

from fastmux.aio.write_buffer import DEFAULT_HIGH, WriteBuffer


def test_pieces_come_out_as_they_went_in() -> None:
    buffer = WriteBuffer()
    assert not buffer
    buffer.push(b"abc")
    buffer.push(b"de")
    assert buffer.size == 5
    assert buffer.pop() == b"abc"
    assert buffer.pop() == b"de"
    assert not buffer
    with pytest.raises(IndexError):
        buffer.pop()


def test_a_buffer_that_never_held_anything_has_nothing_to_give() -> None:
    with pytest.raises(IndexError, match="nothing"):
        WriteBuffer().pop()


def test_what_is_cleared_is_gone() -> None:
    buffer = WriteBuffer()
    buffer.push(b"abc")
    buffer.clear()
    assert not buffer
    buffer.push(b"d")
    assert buffer.pop() == b"d"


@pytest.mark.parametrize(
    ("high", "low", "limits"),
    [
        (None, None, (DEFAULT_HIGH // 4, DEFAULT_HIGH)),
        (1000, None, (250, 1000)),
        (None, 1000, (1000, 4000)),
        (0, None, (0, 0)),
        (5, 5, (5, 5)),
    ],
)
def test_limits_follow_from_each_other_as_in_asyncio(
    high: int | None, low: int | None, limits: tuple[int, int]
) -> None:
    buffer = WriteBuffer()
    buffer.set_limits(high, low)
    assert (buffer.low, buffer.high) == limits


@pytest.mark.parametrize(("high", "low"), [(1, 2), (1, -1), (-1, None)])
def test_limits_that_cannot_be_change_nothing(high: int, low: int | None) -> None:
    buffer = WriteBuffer()
    with pytest.raises(ValueError, match="low"):
        buffer.set_limits(high, low)
    assert buffer.high == DEFAULT_HIGH
