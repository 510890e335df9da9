"""Heads of requests: cut where they end, and refused where two parsers could differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel import constants as c
from fastmux.tunnel.http_proxy.errors import RequestRefused
from fastmux.tunnel.http_proxy.request_head import HeadCutter, check_head

GOOD = b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"


def cut(data: bytes, size: int) -> tuple[list[bytes], bytes]:
    """The heads in `data`, given in pieces of `size`, and what is left."""
    cutter = HeadCutter()
    heads = []
    for start in range(0, len(data), size):
        cutter.receive(data[start : start + size])
        while (head := cutter.next_head()) is not None:
            heads.append(head)
    return heads, cutter.take_all()


@given(st.integers(1, 100), st.integers(0, 5))
def test_heads_are_cut_where_they_end(size: int, count: int) -> None:
    assert cut(GOOD * count + b"GET", size) == ([GOOD] * count, b"GET")


@given(st.binary(max_size=300), st.integers(1, 300))
def test_only_refusals_leave(data: bytes, size: int) -> None:
    try:
        heads, _ = cut(data, size)
        for head in heads:
            check_head(head)
    except RequestRefused as refusal:
        assert refusal.status in (400, 431, 501)


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    "data",
    [
        b"GET http://a/ HTTP/1.1\nHost: a\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nHost: a\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nHost: a\n\n",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\n",
        b"\nGET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\nGET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b" GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\0",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_what_begins_or_breaks_its_lines_wrongly_is_refused_at_once(data: bytes, size: int) -> None:
    with pytest.raises(RequestRefused) as caught:
        cut(data, size)
    assert caught.value.status == 400


def test_a_tls_client_is_told_what_this_is() -> None:
    with pytest.raises(RequestRefused, match="without TLS"):
        cut(b"\x16\x03\x01", 3)


def test_a_head_may_be_so_large_and_no_larger() -> None:
    filler = b"X: " + b"x" * (c.MAX_HEAD_SIZE - len(GOOD) - 5) + b"\r\n"
    whole = GOOD[:-2] + filler + b"\r\n"
    assert len(whole) == c.MAX_HEAD_SIZE
    assert cut(whole, 1000) == ([whole], b"")
    for size in (1000, c.MAX_HEAD_SIZE + 1):
        with pytest.raises(RequestRefused) as caught:
            cut(GOOD[:-2] + b"X" + filler + b"\r\n", size)
        assert caught.value.status == 431


def test_a_head_without_end_is_refused_before_it_fills_memory() -> None:
    cutter = HeadCutter()
    cutter.receive(b"GET http://a/ HTTP/1.1\r\n")
    with pytest.raises(RequestRefused):
        for _ in range(10_000):
            cutter.receive(b"X-Header: and so on\r\n")
            cutter.next_head()
            assert len(cutter) <= c.MAX_HEAD_SIZE


def head(*lines: bytes, start: bytes = b"POST http://a/ HTTP/1.1") -> bytes:
    return b"\r\n".join([start, b"Host: a", *lines, b"", b""])


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((b"Content-Length: 5", b"Transfer-Encoding: chunked"), 400),
        ((b"Transfer-Encoding: chunked", b"Content-Length: 5"), 400),
        ((b"Content-Length: 5", b"Content-Length: 6"), 400),
        ((b"Content-Length: 5", b"Content-Length: 5"), 400),
        ((b"Content-Length: 5, 5",), 400),
        ((b"Content-Length: +5",), 400),
        ((b"Content-Length: -5",), 400),
        ((b"Content-Length: 0x5",), 400),
        ((b"Content-Length: 5 5",), 400),
        ((b"Content-Length:",), 400),
        ((b"Content-Length: " + b"9" * 19,), 400),
        ((b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400),
        ((b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), 400),
        ((b"Transfer-Encoding: xchunked",), 501),
        ((b"Transfer-Encoding: gzip, chunked",), 501),
        ((b"Transfer-Encoding: chunked, identity",), 501),
        ((b"Transfer-Encoding: \x0bchunked",), 400),
        ((b"X: a\rb",), 400),
        ((b"X: a\0b",), 400),
        ((b"X: a\x0bb",), 400),
        ((b"X: a\x7fb",), 400),
        ((b"X: a\x1b[2Jb",), 400),
        ((b"X: a", b" folded"), 400),
        ((b"X: a", b"\tfolded"), 400),
    ],
)
def test_an_ambiguous_head_is_refused(lines: tuple[bytes, ...], status: int) -> None:
    with pytest.raises(RequestRefused) as caught:
        check_head(head(*lines))
    assert caught.value.status == status


def test_a_folded_first_field_is_refused() -> None:
    with pytest.raises(RequestRefused):
        check_head(b"GET http://a/ HTTP/1.1\r\n Host: a\r\n\r\n")


def test_http_1_0_has_no_transfer_encoding() -> None:
    with pytest.raises(RequestRefused, match=r"1\.0"):
        check_head(head(b"Transfer-Encoding: chunked", start=b"POST http://a/ HTTP/1.0"))


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (b"Content-Length: 5",),
        (b"content-length:\t5 \t",),
        (b"Transfer-Encoding: chunked",),
        (b"Transfer-Encoding:  Chunked ",),
        (b"X: a\tb",),
        (b"X: \xe4\xff",),
    ],
)
def test_a_clear_head_is_taken(lines: tuple[bytes, ...]) -> None:
    check_head(head(*lines))


def test_so_many_fields_are_taken_and_no_more() -> None:
    fields = [b"X-%d: x" % number for number in range(c.MAX_REQUEST_FIELDS - 1)]
    check_head(head(*fields))
    with pytest.raises(RequestRefused) as caught:
        check_head(head(*fields, b"One: more"))
    assert caught.value.status == 431
