"""The answer at the head of a stream whose label asks for something: done, or why not.

Owns: its bytes, its codes and the sentences for people. May not know: what was asked, who dials. An answer
is one byte of code, one byte of length, and that many bytes of UTF-8 text.
"""

from __future__ import annotations

import errno
import socket
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from fastmux import constants as c
from fastmux.exceptions import ChannelReset, EndOfStream
from fastmux.security.names import printable

if TYPE_CHECKING:
    from fastmux.aio.stream import Stream


class AnswerCode(IntEnum):
    """The first byte of an answer; 0 to 8 mean what they do in SOCKS5 (RFC 1928 §6)."""

    CONNECTED = 0
    GENERAL_FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    CONNECTION_REFUSED = 5
    TIMED_OUT = 6
    NOT_SUPPORTED = 7
    ADDRESS_NOT_SUPPORTED = 8
    NAME_NOT_FOUND = 9
    BUSY = 10


_SENTENCES: Final = {
    AnswerCode.CONNECTED: "the far end is connected",
    AnswerCode.GENERAL_FAILURE: "the far end failed",
    AnswerCode.NOT_ALLOWED: "the far end does not allow it",
    AnswerCode.NETWORK_UNREACHABLE: "the far end cannot reach that network",
    AnswerCode.HOST_UNREACHABLE: "the far end cannot reach that host",
    AnswerCode.CONNECTION_REFUSED: "the target refused the connection",
    AnswerCode.TIMED_OUT: "the target did not answer the far end in time",
    AnswerCode.NOT_SUPPORTED: "the far end does not know this kind of channel",
    AnswerCode.ADDRESS_NOT_SUPPORTED: "the far end cannot use that kind of address",
    AnswerCode.NAME_NOT_FOUND: "the far end found no address for that name",
    AnswerCode.BUSY: "too many sockets are open for this identity at the far end: close some, or try later",
}
_NUMBERS: Final = {  # by which programs written for TCP tell refusals apart; OSError makes the class of them
    AnswerCode.NOT_ALLOWED: errno.EACCES,
    AnswerCode.NETWORK_UNREACHABLE: errno.ENETUNREACH,
    AnswerCode.HOST_UNREACHABLE: errno.EHOSTUNREACH,
    AnswerCode.TIMED_OUT: errno.ETIMEDOUT,
    AnswerCode.ADDRESS_NOT_SUPPORTED: errno.EAFNOSUPPORT,
}


class OpenRefused(Exception):
    """The far end will not, or cannot, do what was asked. `str()` is a sentence for people.

    `code` says why, `text` is what the far end adds to it; both come from the peer.
    """

    def __init__(self, code: AnswerCode, text: str = "") -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        sentence = _SENTENCES[self.code]
        return f"{sentence} ({printable(self.text)})" if self.text else sentence


def os_error_of(refusal: OpenRefused, place: str) -> OSError:
    """What a TCP socket would have raised: `ConnectionRefusedError` unless the code says something else.

    `place` is what was asked for, as text.
    """
    text = f"{place}: {refusal}"
    if refusal.code == AnswerCode.NAME_NOT_FOUND:
        return socket.gaierror(socket.EAI_NONAME, text)
    return OSError(_NUMBERS.get(refusal.code, errno.ECONNREFUSED), text)


def encode_answer(code: AnswerCode, text: str = "") -> bytes:
    """One byte of code, one of length, then `text` in UTF-8, cut at 255 bytes on a character's boundary."""
    encoded = text.encode("utf-8", "replace")[: c.MAX_ANSWER_TEXT_SIZE]
    encoded = encoded.decode("utf-8", "ignore").encode()
    return bytes((code, len(encoded))) + encoded


async def read_answer(stream: Stream) -> str:
    """Read the answer at the head of a stream, and not a byte beyond it; returns the text of a success.

    Raises `OpenRefused`, also for a stream that was refused without an answer, ConnectionError if the stream
    or the connection ended before, `ClosedResourceError`.
    """
    try:
        code, size = await _read_exactly(stream, 2)
        text = (await _read_exactly(stream, size)).decode("utf-8", "replace")
    except EndOfStream:
        raise ConnectionError("the far end ended the channel without an answer") from None
    except ChannelReset as error:
        if error.code == c.REFUSED:
            raise OpenRefused(AnswerCode.NOT_SUPPORTED) from None
        raise
    if code == AnswerCode.CONNECTED:
        return text
    known = code in AnswerCode.__members__.values()
    raise OpenRefused(AnswerCode(code) if known else AnswerCode.GENERAL_FAILURE, text)


async def _read_exactly(stream: Stream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await stream.receive(size - len(data))
    return data
