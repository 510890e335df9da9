"""Targets of requests: authorities and absolute URIs, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.http_proxy.errors import RequestRefused
from fastmux.tunnel.http_proxy.request_target import Origin, parse_absolute_target, parse_connect_target


@pytest.mark.parametrize(
    ("target", "origin"),
    [
        (b"example.org:443", Origin("example.org", 443)),
        (b"Example.ORG.:443", Origin("example.org", 443)),
        (b"192.0.2.1:22", Origin("192.0.2.1", 22)),
        (b"[2001:db8::1]:443", Origin("2001:db8::1", 443)),
        (b"localhost:65535", Origin("localhost", 65535)),
        (b"my_host:1", Origin("my_host", 1)),
    ],
)
def test_a_connect_is_for_a_host_and_a_port(target: bytes, origin: Origin) -> None:
    assert parse_connect_target(target) == origin


@pytest.mark.parametrize(
    "target",
    [
        b"example.org",
        b"example.org:",
        b":443",
        b"example.org:0",
        b"example.org:65536",
        b"example.org:+443",
        b"example.org:443x",
        b"example.org:443:443",
        b"2001:db8::1:443",
        b"[2001:db8::1]",
        b"[2001:db8::1]443",
        b"[2001:db8::1",
        b"[example.org]:443",
        b"[fe80::1%25eth0]:443",
        b"user@example.org:443",
        b"http://example.org:443",
        b"/index.html",
        b"*",
        b"2130706433:80",
        b"0177.0.0.1:80",
        b"0x7f.1:80",
        b"127.1:80",
        b"a..b:80",
        b"a b:80",
        b"a" * 64 + b":80",
        b".".join([b"a" * 47] * 5) + b":80",
    ],
)
def test_what_is_no_host_and_port_is_refused(target: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        parse_connect_target(target)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("target", "origin", "path"),
    [
        (b"http://example.org", Origin("example.org", 80), b"/"),
        (b"http://example.org/", Origin("example.org", 80), b"/"),
        (b"HTTP://Example.org:8080/a/b?c=d", Origin("example.org", 8080), b"/a/b?c=d"),
        (b"http://example.org?c=d", Origin("example.org", 80), b"/?c=d"),
        (b"http://[::1]:8000/x", Origin("::1", 8000), b"/x"),
        (b"http://[::1]/x", Origin("::1", 80), b"/x"),
        (b"http://example.org//a/../b@c:d", Origin("example.org", 80), b"//a/../b@c:d"),
        (b"http://example.org/?u=http://other/", Origin("example.org", 80), b"/?u=http://other/"),
    ],
)
def test_an_absolute_uri_has_an_origin_and_a_path(target: bytes, origin: Origin, path: bytes) -> None:
    assert parse_absolute_target(b"GET", target) == (origin, path)


def test_options_may_be_for_the_whole_server() -> None:
    assert parse_absolute_target(b"OPTIONS", b"http://a") == (Origin("a", 80), b"*")
    assert parse_absolute_target(b"OPTIONS", b"http://a/") == (Origin("a", 80), b"/")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (b"/", "set it as the proxy"),
        (b"/http://example.org/", "set it as the proxy"),
        (b"*", "set it as the proxy"),
        (b"example.org/", "set it as the proxy"),
        (b"https://example.org/", "CONNECT"),
        (b"ftp://example.org/", "http://"),
        (b"file:///etc/passwd", "http://"),
        (b"http://", "host"),
        (b"http:///path", "host"),
        (b"http://user:secret@example.org/", "user name"),
        (b"http://example.org\\@other/", "user name"),
        (b"http://example.org\\other/", "host"),
        (b"http://example.org/#fragment", "fragment"),
        (b"http://example.org:/", "host"),
        (b"http://example.org:99999/", "port"),
        (b"http://0x7f000001/", "host"),
        (b"http://example.org%2f@other/", "user name"),
    ],
)
def test_what_is_no_http_uri_is_refused_with_a_reason(target: bytes, why: str) -> None:
    with pytest.raises(RequestRefused, match=why) as caught:
        parse_absolute_target(b"GET", target)
    assert caught.value.status == 400


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=100))
def test_only_refusals_leave(text: str) -> None:
    for target in (text, "http://" + text):
        try:
            parse_absolute_target(b"GET", target.encode())
        except RequestRefused as refusal:
            assert refusal.status == 400
    try:
        parse_connect_target(text.encode())
    except RequestRefused as refusal:
        assert refusal.status == 400


@pytest.mark.parametrize(
    ("origin", "field"),
    [
        (Origin("example.org", 80), "example.org"),
        (Origin("example.org", 8080), "example.org:8080"),
        (Origin("::1", 80), "[::1]"),
        (Origin("::1", 81), "[::1]:81"),
    ],
)
def test_the_host_field_has_a_port_only_where_it_says_something(origin: Origin, field: str) -> None:
    assert origin.host_field == field
