"""Patterns of hosts, and which of them name a special address."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.access.host_patterns import ANY_HOST, NamePattern, NetworkPattern, parse_host_pattern


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("*", "*"), ("Db.Example", "db.example"), ("*.Example.", "*.example"), ("10.0.0.1", "10.0.0.1")]
    + [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.1/32", "10.0.0.1"),
        ("[::1]", "[::1]"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ]
    + [("[2001:db8::/32]", "[2001:db8::/32]"), ("[FE80::1%eth0]", "[fe80::1%eth0]")],
)
def test_a_pattern_is_printed_as_it_is_parsed(text: str, canonical: str) -> None:
    assert str(parse_host_pattern(text)) == canonical
    assert parse_host_pattern(canonical) == parse_host_pattern(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "host is missing"),
        ("::1", "brackets"),
        ("10.0.0.1/8", "host bits set"),
        ("10.0.0.0/33", "no IPv4 network"),
        ("127.1", "four decimal numbers"),
        ("0177.0.0.1", "four decimal numbers"),
        ("127.1/16", "no IPv4 network"),
        ("[::1", "brackets"),
        ("[10.0.0.0/8]", "no IPv6 network"),
        ("[::1/64]", "host bits set"),
        ("[::ffff:10.0.0.1]", "write the IPv4 address"),
        ("[::ffff:0:0/96]", "write the IPv4 address"),
        ("[fe80::/10%eth0]", "zone"),
        ("*.10.0.0.1", "four decimal numbers|before a name"),
        ("a*", "neither a host name"),
        ("*.*.a", "neither a host name"),
        ("*.", "host is missing"),
        ("example/8", "no IPv4 network"),
    ],
)
def test_what_is_no_pattern_is_refused_with_what_would_be(text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        parse_host_pattern(text)


@given(st.text() | st.text(alphabet="[]:/*.%01289abf", max_size=20))
def test_only_a_value_error_leaves_the_parser(text: str) -> None:
    try:
        pattern = parse_host_pattern(text)
    except ValueError:
        return
    assert parse_host_pattern(str(pattern)) == pattern


def test_a_suffix_is_of_whole_labels() -> None:
    suffix = parse_host_pattern("*.corp.example")
    assert isinstance(suffix, NamePattern)
    assert suffix.matches("a.corp.example") and suffix.matches("a.b.corp.example")
    assert not suffix.matches("corp.example") and not suffix.matches("evilcorp.example")


def network(text: str) -> NetworkPattern:
    pattern = parse_host_pattern(text)
    assert isinstance(pattern, NetworkPattern)
    return pattern


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 32))
def test_a_network_covers_what_shares_its_bits(
    address: ipaddress.IPv4Address, base: ipaddress.IPv4Address, size: int
) -> None:
    first = int(base) >> (32 - size) << (32 - size)
    pattern = network(f"{ipaddress.IPv4Address(first)}/{size}")
    assert pattern.covers(address) is (int(address) >> (32 - size) == int(base) >> (32 - size))
    assert not pattern.covers(ipaddress.IPv6Address(int(address)))


@pytest.mark.parametrize(
    ("pattern", "address", "named"),
    [
        ("10.0.0.0/8", "10.1.1.1", True),
        ("10.0.0.5", "10.0.0.5", True),
        ("0.0.0.0/0", "10.1.1.1", False),
        ("0.0.0.0/0", "8.8.8.8", True),
        ("10.0.0.0/7", "10.1.1.1", False),
        ("8.0.0.0/6", "8.8.8.8", True),
        ("169.254.0.0/16", "169.254.1.1", True),
        ("169.254.0.0/16", "169.254.169.254", False),
        ("169.254.169.254", "169.254.169.254", True),
        ("100.64.0.0/10", "100.100.100.200", False),
        ("[fc00::/7]", "fd00::1", True),
        ("[fd00::/8]", "fd00:ec2::254", False),
        ("[::/0]", "::1", False),
        ("[::1]", "::1", True),
        ("[::/0]", "fe80::1", False),
        ("[fe80::/10]", "fe80::1", True),
        ("[fe80::/10]", "fe80::1%eth0", False),
        ("[fe80::1]", "fe80::1%eth0", False),
        ("[fe80::1%eth0]", "fe80::1%eth0", True),
        ("[fe80::1%eth0]", "fe80::1%eth1", False),
        ("[fe80::1%eth0]", "fe80::1", False),
    ],
)
def test_a_special_address_is_named_from_within_its_range_only(
    pattern: str, address: str, named: bool
) -> None:
    assert network(pattern).names(ipaddress.ip_address(address)) is named


def test_any_host_is_one_pattern() -> None:
    assert parse_host_pattern("*") is ANY_HOST
