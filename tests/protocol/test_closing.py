"""The end of a connection (RFC 9000 §10.2)."""

from __future__ import annotations

from typing import Any

import pytest

from fastmux import constants as c
from fastmux import core
from fastmux.protocol.closing import Closing, check_close, check_code, encode_close
from fastmux.protocol.path import Path

ADDRESS = ("127.0.0.1", 4433)


def sent(closing: Closing) -> list[bytes]:
    buffer = bytearray(65536)
    packets = []
    while (transmit := closing.transmit(buffer)) is not None:
        assert transmit.address == ADDRESS
        assert transmit.size == transmit.segment_size
        packets.append(bytes(buffer[: transmit.size]))
    return packets


def closing_with(*packets: bytes, is_validated: bool = True) -> Closing:
    return Closing(packets, Path(ADDRESS, is_validated), pto=0.1, now=10.0)


def test_a_close_frame_carries_code_and_reason() -> None:
    frame = encode_close(c.FRAME_APPLICATION_CLOSE, 7, "enough")
    assert core.parse_frames(frame) == [(c.FRAME_APPLICATION_CLOSE, 7, b"enough")]


def test_a_long_reason_is_cut_between_characters() -> None:
    frame = encode_close(c.FRAME_CONNECTION_CLOSE, 1, "x" + "ä" * 400)
    ((_, _, reason),) = core.parse_frames(frame)
    assert isinstance(reason, bytes)
    assert reason.decode() == "x" + "ä" * 255


def test_the_packets_go_out_at_once() -> None:
    assert sent(closing_with(b"one", b"two")) == [b"one", b"two"]


def test_each_pto_repeats_them_until_three_have_passed() -> None:
    closing = closing_with(b"close")
    total = sent(closing)
    times = []
    while not closing.is_over(now := closing.deadline()):
        times.append(round(now, 6))
        closing.handle_timeout(now)
        total += sent(closing)
    assert times == [10.1, 10.2]
    assert total == [b"close"] * 3
    assert closing.is_over(10.0 + 3 * 0.1)


def test_ever_fewer_of_the_peers_datagrams_are_answered() -> None:
    closing = closing_with(b"close")
    sent(closing)
    answered = []
    for number in range(1, 65):
        is_answer_due = closing.on_received(100)
        assert bool(sent(closing)) is is_answer_due
        if is_answer_due:
            answered.append(number)
    assert answered == [1, 2, 4, 8, 16, 32, 64]


def test_a_draining_end_says_nothing() -> None:
    closing = closing_with()
    assert not closing.on_received(1200)
    assert sent(closing) == []
    assert closing.deadline() == closing.ends_at == 10.0 + 3 * 0.1


def test_an_unproved_address_is_sent_no_more_than_three_times_what_it_sent() -> None:
    closing = closing_with(bytes(1200), bytes(1200), is_validated=False)
    assert sent(closing) == []
    closing.on_received(1000)
    assert len(sent(closing)) == 2
    closing.on_received(100)
    assert sent(closing) == []


def test_a_reason_that_is_no_utf_8_is_sent_all_the_same() -> None:
    ((_, _, reason),) = core.parse_frames(encode_close(c.FRAME_APPLICATION_CLOSE, 1, "no \udcff"))
    assert reason == b"no ?"


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        ("done", "", TypeError),
        (1.5, "", TypeError),
        (None, "", TypeError),
        (-1, "", ValueError),
        (1 << 62, "", ValueError),
        (0, b"done", TypeError),
        (0, None, TypeError),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is_done(
    code: Any, reason: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        check_close(code, reason)


def test_codes_are_what_a_varint_holds() -> None:
    assert [check_code(code) for code in (0, True, c.MAX_VARINT)] == [0, 1, c.MAX_VARINT]
