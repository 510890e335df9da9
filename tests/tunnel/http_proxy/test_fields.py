"""Fields that go on, and those that end here."""

from __future__ import annotations

import pytest

from fastmux.tunnel.http_proxy.errors import UpstreamFailed
from fastmux.tunnel.http_proxy.fields import (
    Fields,
    connection_options,
    request_fields,
    response_fields,
    upgrade_of,
)
from fastmux.tunnel.http_proxy.request_target import Origin

ORIGIN = Origin("example.org", 8080)
HOP_BY_HOP: Fields = [
    (b"Connection", b"keep-alive, X-Private"),
    (b"connection", b"x-other"),
    (b"X-Private", b"1"),
    (b"x-other", b"2"),
    (b"Keep-Alive", b"timeout=5"),
    (b"Proxy-Connection", b"keep-alive"),
    (b"TE", b"trailers"),
    (b"Trailer", b"X"),
    (b"Upgrade", b"h2c"),
    (b"Proxy-Authorization", b"Basic c2VjcmV0"),
    (b"Proxy-Authenticate", b"Basic"),
    (b"Proxy-Authentication-Info", b"x"),
]


def test_options_of_all_connection_fields_are_found() -> None:
    assert connection_options([(b"Connection", b"a ,B"), (b"CONNECTION", b"\tc")]) == {b"a", b"b", b"c"}


def test_a_request_keeps_what_is_end_to_end_and_nothing_of_this_hop() -> None:
    kept: Fields = [(b"Accept", b"*/*"), (b"Authorization", b"x"), (b"Via", b"1.0 x"), (b"Cookie", b"a")]
    fields = request_fields([(b"Host", b"evil"), *HOP_BY_HOP, *kept], ORIGIN, None)
    assert fields == [(b"Host", b"example.org:8080"), *kept, (b"Connection", b"close")]


def test_a_body_is_framed_as_it_was_even_if_connection_names_its_fields() -> None:
    named = (b"Connection", b"content-length, host, transfer-encoding")
    assert (b"Content-Length", b"5") in request_fields([named, (b"Content-Length", b"5")], ORIGIN, None)
    assert (b"Transfer-Encoding", b"chunked") in request_fields(
        [named, (b"Transfer-Encoding", b"chunked")], ORIGIN, None
    )


def test_an_upgrade_goes_on_only_where_connection_names_it() -> None:
    assert upgrade_of([(b"Upgrade", b"websocket")]) is None
    assert upgrade_of([(b"Connection", b"upgrade")]) is None
    asked: Fields = [(b"Upgrade", b"websocket"), (b"Connection", b"keep-alive, Upgrade")]
    assert upgrade_of(asked) == b"websocket"
    fields = request_fields(asked, ORIGIN, b"websocket")
    assert fields[1:] == [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]


def test_a_response_keeps_what_is_end_to_end() -> None:
    kept: Fields = [(b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"ETag", b"x")]
    assert response_fields([*HOP_BY_HOP, *kept, (b"Content-Length", b"5")], 200) == [
        *kept,
        (b"Content-Length", b"5"),
    ]


@pytest.mark.parametrize("status", [101, 103, 204])
def test_a_response_without_a_body_has_no_length(status: int) -> None:
    assert response_fields([(b"Content-Length", b"5")], status) == []


def test_a_response_with_two_ends_is_refused() -> None:
    with pytest.raises(UpstreamFailed):
        response_fields([(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")], 200)
