"""Addresses and forwards: OpenSSH's forms, and errors that say what would be right."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.notation.targets import (
    Forward,
    Protocol,
    Target,
    parse_address,
    parse_bind,
    parse_forward,
    parse_target,
)


def tcp(host: str, port: int) -> Target:
    return Target("tcp", host, port)


def unix(path: str) -> Target:
    return Target("unix", path=path)


@pytest.mark.parametrize(
    ("text", "listen", "to"),
    [
        ("8080:db:80", tcp("127.0.0.1", 8080), tcp("db", 80)),
        ("10.0.0.1:8080:db:80", tcp("10.0.0.1", 8080), tcp("db", 80)),
        ("localhost:0:db:80", tcp("localhost", 0), tcp("db", 80)),
        ("*:8080:db:80", tcp("", 8080), tcp("db", 80)),
        (":8080:db:80", tcp("", 8080), tcp("db", 80)),
        ("[::1]:8080:[2001:db8::1]:80", tcp("::1", 8080), tcp("2001:db8::1", 80)),
        ("8080:[fe80::1%eth0]:80", tcp("127.0.0.1", 8080), tcp("fe80::1%eth0", 80)),
        ("53:10.0.0.53:53/udp", Target("udp", "127.0.0.1", 53), Target("udp", "10.0.0.53", 53)),
        ("53:10.0.0.53:53/tcp", tcp("127.0.0.1", 53), tcp("10.0.0.53", 53)),
        ("/run/a.sock:db:80", unix("/run/a.sock"), tcp("db", 80)),
        ("/run/a.sock:/run/b.sock", unix("/run/a.sock"), unix("/run/b.sock")),
        ("8080:/run/b.sock", tcp("127.0.0.1", 8080), unix("/run/b.sock")),
        ("*:8080:/run/b.sock", tcp("", 8080), unix("/run/b.sock")),
        ("8080:/run/udp", tcp("127.0.0.1", 8080), unix("/run/udp")),
    ],
)
def test_a_forward_is_written_as_for_openssh(text: str, listen: Target, to: Target) -> None:
    forward = parse_forward(text)
    assert forward == Forward(listen, to)
    assert parse_forward(str(forward)) == forward


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "a forward is"),
        ("1080", "a forward is"),
        ("db:80", "a forward is"),
        ("8080:::1:80", "IPv6 address in brackets"),
        ("1:2:3:4:5", "a forward is"),
        ("a:/run/x:db:80", "a forward is"),
        ("/run/x:8080:db:80", "a forward is"),
        ("8080:db:ssh", "'ssh' is not a port: a number from 1 to 65535"),
        ("8080:db:0", "'0' is not a port"),
        ("x:db:80", "'x' is not a port: a number from 0"),
        ("8080:127.1:80", "four decimal numbers"),
        ("8080:db:80/sctp", "neither /udp nor /tcp"),
        ("/run/a.sock:db:53/udp", "UDP listens on a port"),
        ("8080:[db]:80", "IPv6"),
        ("8080:[127.0.0.1]:80", "brackets are for IPv6"),
        ("[::1:8080:db:80", "brackets"),
        ("[::1]8080:db:80", "brackets"),
        ("/run/../a:db:80", "is not a plain path"),
        ("8080:*:80", "neither a host name"),
        ("8080::80", "host is missing"),
    ],
)
def test_what_is_no_forward_is_refused_with_what_would_be(text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        parse_forward(text)


def test_an_address_is_host_and_port() -> None:
    assert parse_address("Gw.Example:4433") == ("gw.example", 4433)
    assert parse_address("[::1]:4433") == ("::1", 4433)
    assert parse_address("gw", default_port=4433) == ("gw", 4433)
    assert parse_address("[::1]", default_port=4433) == ("::1", 4433)
    for text, match in [
        ("gw", "write host:port"),
        ("::1", "brackets"),
        (":22", "host is missing"),
        ("", "port"),
    ]:
        with pytest.raises(ValueError, match=match):
            parse_address(text)
    with pytest.raises(ValueError, match="number from 1"):
        parse_address("gw:0", min_port=1)


def test_where_something_listens_may_be_a_port_alone_or_all_interfaces() -> None:
    assert parse_bind("1080") == tcp("127.0.0.1", 1080)
    assert parse_bind("*:1080") == parse_bind(":1080") == tcp("", 1080)
    assert parse_bind("[::1]:0", "udp") == Target("udp", "::1", 0)
    assert parse_bind("/run/a", "unix") == unix("/run/a")
    assert parse_address(":9", default_host="127.0.0.1") == ("", 9)
    for text, match in [("db", "a port, or bind:port"), ("/run/a", "a port"), ("65536", "not a port")]:
        with pytest.raises(ValueError, match=match):
            parse_bind(text)


def test_a_target_is_a_host_and_port_or_a_path() -> None:
    for text, target in [
        ("db:5432", tcp("db", 5432)),
        ("[::1]:53/udp", Target("udp", "::1", 53)),
        ("/run/db.sock", unix("/run/db.sock")),
    ]:
        assert parse_target(text) == target
        assert str(target) == text
    for text in ("db", "db:0", "*:22", ":22", "db:22/x", "a/b:22", "run/x"):
        with pytest.raises(ValueError):
            parse_target(text)


SPECS = st.text() | st.text(alphabet="[]:/*%0189abfudp.é", max_size=30)


@given(SPECS, st.sampled_from([parse_forward, parse_target, parse_bind, parse_address]))
def test_only_a_value_error_leaves_a_parser(text: str, parse: Callable[[str], object]) -> None:
    try:
        parse(text)
    except ValueError:
        return


hosts = st.sampled_from(["db", "a.example", "10.0.0.1", "::1", "fe80::1%eth0"])
ports = st.integers(1, 65535)
paths = st.sampled_from(["/run/a", "/run/b.sock"]).map(unix)


@given(
    st.sampled_from(["tcp", "udp"]), hosts, ports, hosts | st.just(""), st.integers(0, 65535), paths, paths
)
def test_what_is_printed_is_what_is_parsed(
    protocol: str, host: str, port: int, bind: str, bind_port: int, path: Target, other: Target
) -> None:
    kind: Protocol = "udp" if protocol == "udp" else "tcp"
    to, listen = Target(kind, host, port), Target(kind, bind, bind_port)
    assert parse_target(str(to)) == to
    for forward in (Forward(listen, to), Forward(Target("tcp", bind, bind_port), path), Forward(other, path)):
        assert parse_forward(str(forward)) == forward
