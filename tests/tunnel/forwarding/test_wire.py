"""Labels and answers: what was meant comes back, what a hostile peer sends is a ValueError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aio.pair import Pair, pair
from aio.virtual_loop import virtual
from fastmux import ChannelReset, ConnectionClosed, Stream
from fastmux import constants as c
from fastmux.tunnel.forwarding import wire
from fastmux.tunnel.forwarding.wire import Accepted, AnswerCode, Dial, Listen, OpenRefused, Ping, parse_label
from fastmux.tunnel.notation.targets import Target

TARGETS = [
    (Target("tcp", "example.org", 22), "tcp:example.org:22"),
    (Target("tcp", "192.0.2.7", 65535), "tcp:192.0.2.7:65535"),
    (Target("udp", "::1", 53), "udp:[::1]:53"),
    (Target("unix", path="/run/app.sock"), "unix:/run/app.sock"),
]


@pytest.mark.parametrize(("target", "text"), TARGETS)
def test_a_target_survives_its_label(target: Target, text: str) -> None:
    assert wire.label_of(target) == f"fastmux:{text}"
    assert parse_label(wire.label_of(target)) == Dial(target)
    assert wire.listen_label_of(target) == f"fastmux:listen:{text}"
    assert parse_label(wire.listen_label_of(target)) == Listen(target)


def test_a_listener_may_have_every_interface_and_any_port() -> None:
    everywhere = Target("tcp", "", 0)
    assert wire.listen_label_of(everywhere) == "fastmux:listen:tcp:*:0"
    assert parse_label("fastmux:listen:tcp:*:0") == parse_label("fastmux:listen:tcp::0") == Listen(everywhere)


@pytest.mark.parametrize("peer", [("192.0.2.7", 5), ("::1", 65535), ("", 0)])
def test_an_accepted_peer_survives_its_label(peer: tuple[str, int]) -> None:
    label = wire.accepted_label_of(12, *peer)
    assert parse_label(label) == Accepted(12, *peer)


def test_a_ping_is_a_ping() -> None:
    assert parse_label(wire.PING_LABEL) == Ping()


@pytest.mark.parametrize(
    "label",
    [
        *("", "fastmux:", "ping", "fastmux:ping:", "fastmux:sctp:a:1", "fastmux:tcp", "tcp:a:1"),
        *("fastmux:tcp:", "fastmux:accepted:1"),
        *("fastmux:tcp:a", "fastmux:tcp::22", "fastmux:tcp:*:22", "fastmux:tcp:a:0", "fastmux:tcp:a:65536"),
        *("fastmux:tcp:a:-1", "fastmux:tcp:a:+1", "fastmux:tcp:a: 1", "fastmux:tcp:a:\u0661"),
        *("fastmux:tcp:a:1_0", "fastmux:tcp:a:1 "),
        *("fastmux:tcp:::1:22", "fastmux:tcp:[a]:22", "fastmux:tcp:[127.0.0.1]:22", "fastmux:tcp:[::1:22"),
        *("fastmux:tcp:2130706433:22", "fastmux:tcp:0177.0.0.1:22", "fastmux:tcp:0x7f.1:22"),
        *("fastmux:tcp:127.1:1", "fastmux:tcp:1:1"),
        *("fastmux:tcp:a b:22", "fastmux:tcp:a\n:22", "fastmux:tcp:a/b:22", "fastmux:tcp:u@a:22"),
        *("fastmux:unix:", "fastmux:unix:relative", "fastmux:unix:/a/../b", "fastmux:unix:/a\x00"),
        *("fastmux:listen:", "fastmux:listen:tcp:a:65536", "fastmux:listen:listen:tcp:a:1"),
        *("fastmux:accepted:", "fastmux:accepted:x::0", "fastmux:accepted:-1::0", "fastmux:accepted:1:a"),
        *("fastmux:accepted:99999999999999999999::0", "fastmux:accepted:1:a:65536"),
    ],
)
def test_anything_else_is_a_value_error(label: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_label(label)


@given(st.text(max_size=80))
def test_only_value_errors_leave_the_parser(text: str) -> None:
    for prefix in ("", "fastmux:", "fastmux:tcp:", "fastmux:listen:udp:", "fastmux:accepted:"):
        try:
            parse_label(prefix + text)
        except ValueError as error:
            assert str(error)


def test_a_target_too_long_for_a_label_is_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        wire.label_of(Target("tcp", "a" * 250, 22))


def test_an_answer_is_cut_on_the_boundary_of_a_character() -> None:
    answer = wire.encode_answer(AnswerCode.BUSY, "x" + "ä" * 200)
    assert answer[:2] == bytes((10, 255))
    assert answer[2:].decode() == "x" + "ä" * 127
    assert wire.encode_answer(AnswerCode.CONNECTED) == b"\0\0"
    assert wire.encode_answer(AnswerCode.NOT_ALLOWED, "\udc80") == b"\2\1?"


async def _answered(ends: Pair, answer: bytes, *, is_last: bool = False) -> tuple[Stream, Stream]:
    near, far = await ends.stream()
    await far.send(answer)
    if is_last:
        await far.send_eof()
    return near, far


@virtual
async def test_an_answer_is_read_and_not_a_byte_more() -> None:
    async with pair() as ends:
        answer = wire.encode_answer(AnswerCode.CONNECTED, "127.0.0.1:5")
        near, far = await _answered(ends, answer + b"SSH-2.0")
        assert await wire.read_answer(near) == "127.0.0.1:5"
        assert await near.receive() == b"SSH-2.0"
        near.reset()
        far.reset()


@virtual
async def test_a_refusal_says_why_and_what_the_peer_added_is_escaped() -> None:
    async with pair() as ends:
        near, far = await _answered(ends, wire.encode_answer(AnswerCode.NOT_ALLOWED, "no\x1b[2J"))
        with pytest.raises(OpenRefused) as refused:
            await wire.read_answer(near)
        assert refused.value.code == AnswerCode.NOT_ALLOWED
        assert str(refused.value) == "the far end does not allow it (no?[2J)"
        near.reset()
        far.reset()


@virtual
async def test_an_unknown_code_is_a_general_failure() -> None:
    async with pair() as ends:
        near, far = await _answered(ends, b"\x4d\x02\xff!")
        with pytest.raises(OpenRefused, match="failed") as refused:
            await wire.read_answer(near)
        assert refused.value.code == AnswerCode.GENERAL_FAILURE
        near.reset()
        far.reset()


@virtual
async def test_an_end_before_the_answer_is_a_connection_error() -> None:
    async with pair() as ends:
        near, far = await _answered(ends, b"\0", is_last=True)
        with pytest.raises(ConnectionError, match="without an answer"):
            await wire.read_answer(near)
        near.reset()
        far.reset()


@virtual
async def test_a_refused_stream_is_a_refusal_and_any_other_reset_is_not() -> None:
    async with pair() as ends:
        near, far = await ends.stream()
        far.reset(c.REFUSED)
        with pytest.raises(OpenRefused) as refused:
            await wire.read_answer(near)
        assert refused.value.code == AnswerCode.NOT_SUPPORTED
        near.reset()
        near, far = await ends.stream()
        far.reset(c.CANCELLED)
        with pytest.raises(ChannelReset):
            await wire.read_answer(near)
        near.reset()
        near, _ = await ends.stream()
        ends.server.abort()
        with pytest.raises(ConnectionClosed):
            await wire.read_answer(near)


@pytest.mark.parametrize("code", AnswerCode)
def test_every_code_has_a_sentence(code: AnswerCode) -> None:
    assert len(str(OpenRefused(code))) > 15
