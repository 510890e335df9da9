"""Answers: their bytes, what the opener raises, and that no byte behind them is taken."""

from __future__ import annotations

import errno
import socket

import pytest

from aio.pair import pair
from aio.virtual_loop import virtual
from fastmux import constants as c
from fastmux.aio.answers import AnswerCode, OpenRefused, encode_answer, os_error_of, read_answer
from fastmux.exceptions import ChannelReset, ConnectionClosed


def test_an_answer_is_a_code_a_length_and_a_text() -> None:
    assert encode_answer(AnswerCode.CONNECTED) == b"\x00\x00"
    assert encode_answer(AnswerCode.NAME_NOT_FOUND, "héllo") == b"\x09\x06h\xc3\xa9llo"


def test_a_long_text_is_cut_between_two_characters() -> None:
    answer = encode_answer(AnswerCode.BUSY, "é" * 200)
    assert answer[1] == 254
    assert answer[2:].decode() == "é" * 127
    assert encode_answer(AnswerCode.NOT_ALLOWED, "\udc80") == b"\x02\x01?"


def test_every_code_has_a_sentence_and_the_peers_text_is_escaped_in_it() -> None:
    for code in AnswerCode:
        assert " " in str(OpenRefused(code))
    assert "\x1b" not in str(OpenRefused(AnswerCode.BUSY, "\x1b[2J"))


@pytest.mark.parametrize(
    ("code", "kind", "number"),
    [
        (AnswerCode.CONNECTION_REFUSED, ConnectionRefusedError, errno.ECONNREFUSED),
        (AnswerCode.NOT_SUPPORTED, ConnectionRefusedError, errno.ECONNREFUSED),
        (AnswerCode.NOT_ALLOWED, PermissionError, errno.EACCES),
        (AnswerCode.TIMED_OUT, TimeoutError, errno.ETIMEDOUT),
        (AnswerCode.HOST_UNREACHABLE, OSError, errno.EHOSTUNREACH),
        (AnswerCode.NAME_NOT_FOUND, socket.gaierror, socket.EAI_NONAME),
    ],
)
def test_programs_for_tcp_get_the_error_of_a_socket(
    code: AnswerCode, kind: type[OSError], number: int
) -> None:
    error = os_error_of(OpenRefused(code, "why"), "host port 22")
    assert isinstance(error, kind)
    assert error.errno == number
    assert "host port 22: " in str(error)
    assert "(why)" in str(error)


@virtual
async def test_reading_an_answer_leaves_what_follows_it() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await theirs.send(encode_answer(AnswerCode.CONNECTED, "127.0.0.1:22") + b"SSH-2.0")
        assert await read_answer(mine) == "127.0.0.1:22"
        assert await mine.receive() == b"SSH-2.0"
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_a_refusal_says_its_code_and_an_unknown_one_is_a_failure() -> None:
    async with pair() as ends:
        for sent, code in ((bytes([5, 2]) + b"no", 5), (b"\xfe\x00", 1)):
            mine, theirs = await ends.stream()
            await theirs.send(sent)
            with pytest.raises(OpenRefused) as caught:
                await read_answer(mine)
            assert caught.value.code == code
            await mine.aclose()
            await theirs.aclose()


@virtual
async def test_a_reset_or_an_end_in_place_of_an_answer_is_told_apart() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        theirs.reset(c.REFUSED)
        with pytest.raises(OpenRefused, match="does not know"):
            await read_answer(mine)
        await mine.aclose()
        mine, theirs = await ends.stream()
        theirs.reset(99)
        with pytest.raises(ChannelReset):
            await read_answer(mine)
        await mine.aclose()
        mine, theirs = await ends.stream()
        await theirs.send(b"\x00")
        await theirs.aclose()
        with pytest.raises(ConnectionError, match="without an answer"):
            await read_answer(mine)
        await mine.aclose()
        mine, _ = await ends.stream()
        ends.server.abort()
        with pytest.raises(ConnectionClosed):
            await read_answer(mine)
