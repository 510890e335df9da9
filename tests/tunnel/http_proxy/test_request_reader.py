"""Requests of one connection: each where the last one ended, and none after anything unclear."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel import constants as c
from fastmux.tunnel.http_proxy.errors import RequestRefused
from fastmux.tunnel.http_proxy.request_reader import RequestReader

PLAIN = b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"
LENGTH = b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED_HEAD = b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED = CHUNKED_HEAD + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"


@dataclass
class Read:
    """One request: its method, its body as far as it came, and whether another may follow."""

    method: bytes
    body: bytes
    is_whole: bool
    may_go_on: bool


def read(data: bytes, size: int) -> list[Read]:
    """What a client's bytes are, given in pieces of `size`."""
    reader = RequestReader()
    found: list[Read] = []
    for start in range(0, len(data), size):
        reader.receive(data[start : start + size])
        while True:
            if found and not found[-1].is_whole:
                piece = reader.next_body()
                if piece is None:
                    break
                found[-1].body += piece
                found[-1].is_whole = reader.is_body_read
                found[-1].may_go_on = reader.may_go_on
            elif found and not found[-1].may_go_on:
                return found
            else:
                request = reader.next_request()
                if request is None:
                    break
                found.append(Read(request.method, b"", reader.is_body_read, reader.may_go_on))
    return found


@given(st.lists(st.sampled_from([PLAIN, LENGTH, CHUNKED]), max_size=6), st.integers(1, 300))
def test_requests_follow_one_another(requests: list[bytes], size: int) -> None:
    expected = {PLAIN: (b"GET", b""), LENGTH: (b"POST", b"hello"), CHUNKED: (b"POST", b"hello")}
    found = read(b"".join(requests), size)
    assert [(one.method, one.body) for one in found] == [expected[request] for request in requests]
    assert all(one.is_whole and one.may_go_on for one in found)


@given(st.binary(max_size=200), st.integers(1, 300))
def test_only_refusals_leave(data: bytes, size: int) -> None:
    for start in (b"", PLAIN[:-2], CHUNKED_HEAD, LENGTH):
        try:
            read(start + data, size)
        except RequestRefused as refusal:
            assert 400 <= refusal.status < 600


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    "body",
    [
        b"g\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\n" + PLAIN,
        b"5\r\nhello\r\n0\r\n\nX",
        b"5\r\nhello\r\n0\r\nA: b\n\r\n" + PLAIN,
        b"5\r\nhello\r\n0\r\nA: b\n\n" + PLAIN,
        b"5\r\nhello\r\n0\r\nA b\r\n\r\n" + PLAIN,
        b"5;\n\r\nhello\r\n0\r\n\r\n",
        b"f" * 21 + b"\r\n",
        b"\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_bad_chunks_are_refused(body: bytes, size: int) -> None:
    with pytest.raises(RequestRefused) as caught:
        read(CHUNKED_HEAD + body, size)
    assert caught.value.status == 400


def test_a_chunk_line_without_end_is_refused() -> None:
    with pytest.raises(RequestRefused):
        read(CHUNKED_HEAD + b"5;" + b"x" * (3 * c.MAX_HEAD_SIZE), 1000)


@pytest.mark.parametrize("size", [1, 10_000])
def test_nothing_is_read_after_trailers(size: int) -> None:
    found = read(CHUNKED_HEAD + b"5\r\nhello\r\n0\r\nA: b\r\n\r\n" + PLAIN, size)
    assert found == [Read(b"POST", b"hello", True, False)]


@pytest.mark.parametrize(
    "head",
    [
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
        b"GET http://a/ HTTP/1.0\r\n\r\n",
        b"GET http://a/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ],
)
def test_nothing_is_read_after_the_last_request(head: bytes) -> None:
    assert read(head + PLAIN, 10_000) == [Read(b"GET", b"", True, False)]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET http://a/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        (b"GET  http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (b"GET http://a/\r\nHost: a\r\n\r\n", 400),
        (b"GET http://a/ http/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http://a/\xe4 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"G\xc4T http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\n", 505),
        (b"GET http://a/ HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        (b"GET http://a/ HTTP/0.9\r\nHost: a\r\n\r\n", 505),
    ],
)
def test_a_head_that_h11_or_the_version_rules_out_is_refused(head: bytes, status: int) -> None:
    with pytest.raises(RequestRefused) as caught:
        read(head, 10_000)
    assert caught.value.status == status
    assert len(caught.value.text) < 200


def test_what_comes_behind_an_upgrade_is_not_read_as_a_request() -> None:
    reader = RequestReader()
    reader.receive(PLAIN + b"raw bytes")
    assert reader.next_request() is not None
    assert reader.take_rest() == b"raw bytes"
    assert not reader.may_go_on


def test_what_is_pipelined_is_counted() -> None:
    reader = RequestReader()
    reader.receive(PLAIN)
    reader.next_request()
    reader.receive(PLAIN + PLAIN)
    assert reader.waiting_size == 2 * len(PLAIN)
