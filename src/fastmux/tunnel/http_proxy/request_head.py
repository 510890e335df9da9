"""Cuts request heads off what a client sends, and refuses what two parsers could read differently (H50).

Owns: where a head ends, and which bytes may be in it. May not know: what the fields mean, except those that
say where the message ends. h11 reads the head after this; it is lenient on purpose (bare LF, folded lines, a
length twice, control characters), and a proxy must not be: RFC 9112 §2.2, §5.2, §6.3, RFC 9110 §5.5.
"""

from __future__ import annotations

import re
from typing import Final

from fastmux.tunnel import constants as c
from fastmux.tunnel.http_proxy.errors import RequestRefused

_END: Final = b"\r\n\r\n"
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")
_TLS_RECORD: Final = 0x16


class HeadCutter:
    """One client's bytes before and between requests.

    Invariant: no head ends before `_searched`, no bare LF is before it, and it is at most MAX_HEAD_SIZE when
    `next_head` returns None: a client cannot make more than that and one read wait here.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._searched = 0

    def receive(self, data: bytes) -> None:
        """Add what came."""
        self._data += data

    def __len__(self) -> int:
        return len(self._data)

    def take_all(self) -> bytes:
        """Everything that is here, which is then gone."""
        data = bytes(self._data)
        self._data.clear()
        self._searched = 0
        return data

    def next_head(self) -> bytes | None:
        """A whole head with its empty line, None if more has to come. Raises RequestRefused."""
        data = self._data
        if data and data[0] <= 0x20:
            raise _wrong_beginning(data[0])
        end = data.find(_END, max(0, self._searched - 3))
        size = len(data) if end < 0 else end + len(_END)
        if _BARE_LF.search(data, self._searched, size):
            raise RequestRefused(400, "a line of the request ends without CR")
        if size > c.MAX_HEAD_SIZE:
            raise RequestRefused(431, f"the head of the request is larger than {c.MAX_HEAD_SIZE} bytes")
        if end < 0:
            self._searched = size
            return None
        head = bytes(data[:size])
        del data[:size]
        self._searched = 0
        return head


def check_head(head: bytes) -> None:
    """Refuse a whole head that is ambiguous or too long. Raises RequestRefused."""
    request_line, *lines = head[: -len(_END)].split(b"\r\n")
    if len(lines) > c.MAX_REQUEST_FIELDS:
        raise RequestRefused(431, f"the request has more than {c.MAX_REQUEST_FIELDS} header fields")
    for line in (request_line, *lines):
        if _CONTROL.search(line):
            raise RequestRefused(400, "the head of the request has a control character in it")
    lengths, codings = [], []
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            raise RequestRefused(400, "a header field goes on in the next line, which HTTP no longer allows")
        name, _, value = line.partition(b":")
        match name.lower():
            case b"content-length":
                lengths.append(value.strip(b" \t"))
            case b"transfer-encoding":
                codings.append(value.strip(b" \t").lower())
    _check_framing(lengths, codings, is_old=request_line.endswith(b"HTTP/1.0"))


def _check_framing(lengths: list[bytes], codings: list[bytes], *, is_old: bool) -> None:
    """RFC 9112 §6.3: exactly one way to tell where the body ends."""
    if lengths and codings:
        raise RequestRefused(400, "the request has both Content-Length and Transfer-Encoding")
    if len(lengths) > 1:
        raise RequestRefused(400, "the request has more than one Content-Length")
    if lengths and not _DIGITS.fullmatch(lengths[0]):
        raise RequestRefused(400, "the request's Content-Length is not a number")
    if len(codings) > 1:
        raise RequestRefused(400, "the request has more than one Transfer-Encoding")
    if codings and is_old:
        raise RequestRefused(400, "HTTP/1.0 has no Transfer-Encoding")
    if codings and codings[0] != b"chunked":
        raise RequestRefused(501, "the only Transfer-Encoding that is understood here is chunked")


def _wrong_beginning(first: int) -> RequestRefused:
    if first == _TLS_RECORD:
        return RequestRefused(400, "this proxy itself is spoken to without TLS: use http:// for its address")
    return RequestRefused(400, "this is not HTTP/1.1")
