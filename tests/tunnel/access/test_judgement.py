"""Whether patterns allow an address: the table of ways around a rule (H47)."""

from __future__ import annotations

import ipaddress

import pytest

from fastmux.tunnel.access import judgement
from fastmux.tunnel.access.host_patterns import parse_host_pattern


def refusal(rules: str, name: str | None, address: str) -> str:
    patterns = [parse_host_pattern(text) for text in rules.split()]
    return judgement.refusal(patterns, name, ipaddress.ip_address(address))


SPECIAL = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
    *("169.254.169.254", "169.254.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "168.63.129.16"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "100::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::127.0.0.1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::10.0.0.1"),
    *("2002:7f00:1::1", "2002:a00:1::", "2001:0:a00:1::1", "2001:0:808:808::80ff:fffe", "::ffff:0:127.0.0.1"),
]


@pytest.mark.parametrize("address", SPECIAL)
@pytest.mark.parametrize(
    "rules", ["*", "0.0.0.0/0 [::/0]", "evil.example *.example", "0.0.0.0/1 128.0.0.0/1"]
)
def test_a_special_address_takes_more_than_a_rule_for_everything(rules: str, address: str) -> None:
    for name in (None, "evil.example"):
        assert "is " in refusal(rules, name, address)


@pytest.mark.parametrize(
    ("rules", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        ("127.0.0.0/8", "127.1.2.3"),
        ("10.0.0.0/8", "::ffff:10.0.0.1"),
        ("10.0.0.0/8", "64:ff9b::10.0.0.1"),
        ("[64:ff9b::/96] 10.0.0.0/8", "64:ff9b::10.0.0.1"),
        ("[64:ff9b:1::/96] 10.0.0.0/8", "64:ff9b:1::10.0.0.1"),
        ("[2002:a00:1::/48] 10.0.0.0/8", "2002:a00:1::1"),
        ("169.254.169.254", "169.254.169.254"),
        ("[fe80::1%eth0]", "fe80::1%eth0"),
        ("0.0.0.0", "0.0.0.0"),
    ],
)
def test_a_special_address_that_is_named_is_allowed(rules: str, address: str) -> None:
    assert refusal(rules, None, address) == ""
    assert refusal(rules, "any.example", address) == ""


@pytest.mark.parametrize(
    ("rules", "address", "reason"),
    [
        ("[64:ff9b::/96]", "64:ff9b::10.0.0.1", "leads to 10.0.0.1, which is private"),
        ("10.0.0.0/8", "64:ff9b:1::10.0.0.1", "is for NAT64 of a site"),
        ("[64:ff9b:1::/48]", "64:ff9b:1::10.0.0.1", "leads to 10.0.0.1"),
        ("[2002:a00:1::/48]", "2002:a00:1::1", "leads to 10.0.0.1"),
        ("10.0.0.0/8", "2002:a00:1::1", "is in no rule"),
        ("8.8.8.8", "2002:808:808::1", "is in no rule"),
        ("169.254.0.0/16", "169.254.169.254", "a cloud's metadata"),
        ("10.0.0.1", "10.0.0.2", "is private"),
        ("8.8.8.8", "8.8.4.4", "is in no rule"),
        ("db.example", "8.8.8.8", "is in no rule"),
        ("[::1]", "127.0.0.1", "is loopback"),
        ("127.0.0.1", "::1", "is loopback"),
    ],
)
def test_a_refusal_says_why(rules: str, address: str, reason: str) -> None:
    assert reason in refusal(rules, None, address)


@pytest.mark.parametrize(
    ("rules", "name", "address"),
    [
        ("*", None, "8.8.8.8"),
        ("*", "a.example", "2606:4700::1"),
        ("a.example", "a.example", "8.8.8.8"),
        ("*.example", "a.example", "8.8.8.8"),
        ("8.0.0.0/8", "a.example", "8.8.8.8"),
        ("0.0.0.0/0", None, "8.8.8.8"),
        ("a.example", "a.example", "64:ff9b::808:808"),
        ("8.8.8.8", None, "64:ff9b::808:808"),
        ("8.8.8.8", None, "::ffff:8.8.8.8"),
        ("*", None, "2002:808:808::1"),
    ],
)
def test_a_public_address_is_allowed_by_name_address_or_any(
    rules: str, name: str | None, address: str
) -> None:
    assert refusal(rules, name, address) == ""


@pytest.mark.parametrize(
    ("rules", "name", "address", "reason"),
    [
        ("*", None, "9.9.9.9", "9.9.9.9 is this host's own"),
        ("0.0.0.0/0 9.0.0.0/8", None, "9.9.9.9", "9.9.9.9 is this host's own"),
        ("gw.example *.example *", "gw.example", "9.9.9.9", "9.9.9.9 is this host's own"),
        ("*", None, "::ffff:9.9.9.9", "::ffff:9.9.9.9 leads to 9.9.9.9, which is this host's own"),
        ("*", None, "64:ff9b::909:909", "64:ff9b::909:909 leads to 9.9.9.9, which is this host's own"),
        ("9.9.9.9", None, "9.9.9.9", ""),
        ("9.9.9.9", "gw.example", "9.9.9.9", ""),
        ("*", None, "9.9.9.8", ""),
    ],
)
def test_a_public_address_of_this_host_is_named_by_itself_or_refused(
    rules: str, name: str | None, address: str, reason: str
) -> None:
    """`*` reached services of the server itself that a firewall closes to everybody outside."""
    patterns = [parse_host_pattern(text) for text in rules.split()]
    own = ipaddress.ip_address("9.9.9.9")
    given = ipaddress.ip_address(address)
    found = judgement.refusal(patterns, name, given, lambda each: each == own)
    assert found.replace("::ffff:909:909", "::ffff:9.9.9.9") == reason


def test_localhost_names_loopback_for_localhost_only() -> None:
    assert refusal("localhost", "localhost", "127.0.0.1") == ""
    assert refusal("localhost", "localhost", "::1") == ""
    assert refusal("localhost", "localhost", "10.0.0.1") == "10.0.0.1 is private"
    assert refusal("localhost", None, "127.0.0.1") != ""
    assert refusal("localhost", "evil.example", "127.0.0.1") != ""
    assert refusal("*", "localhost", "127.0.0.1") != ""
    assert refusal("*.localhost", "a.localhost", "127.0.0.1") != ""


def test_a_name_is_resolved_only_where_it_could_help() -> None:
    patterns = [parse_host_pattern(text) for text in ("a.example", "*.b.example")]
    may = judgement.may_allow_an_address_of
    assert may(patterns, "a.example") and may(patterns, "x.b.example")
    assert not may(patterns, "c.example") and not may([], "a.example")
    assert may([parse_host_pattern("10.0.0.0/8")], "c.example")


@pytest.mark.parametrize(
    ("rules", "address", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.0/8", "127.0.0.2", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("*", "0.0.0.0", True),
        ("0.0.0.0", "0.0.0.0", True),
        ("0.0.0.0/0", "0.0.0.0", True),
        ("0.0.0.0/1", "0.0.0.0", False),
        ("0.0.0.0/8", "::ffff:0.0.0.0", False),
        ("[::]", "::", True),
        ("[::/64]", "::", False),
        ("0.0.0.0", "127.0.0.1", False),
        ("localhost", "127.0.0.1", False),
        ("", "127.0.0.1", False),
    ],
)
def test_all_interfaces_are_never_covered_by_accident(rules: str, address: str, allowed: bool) -> None:
    patterns = [parse_host_pattern(text) for text in rules.split()]
    assert judgement.allows_binding(patterns, ipaddress.ip_address(address)) is allowed
