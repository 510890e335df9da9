"""Rules: an unambiguous grammar, and errors that say what would be right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.access.rules import HostPorts, parse_destination, parse_rule
from fastmux.tunnel.constants import MAX_RULE_SIZE

PIN = "sha256//" + "Ab+/" * 10 + "AbC="


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.0/8:22", "*=10.0.0.0/8:22"),
        ("laptop=10.0.0.0/8:22", "laptop=10.0.0.0/8:22"),
        ("*=127.0.0.1:1-65535", "*=127.0.0.1:*"),
        ("listen:127.0.0.1:2200-2299", "*=listen:127.0.0.1:2200-2299"),
        ("a=listen:*:53/udp", "a=listen:*:53/udp"),
        ("a=[2001:db8::/32]:443,80/tcp", "a=[2001:db8::/32]:80,443"),
        (f"{PIN}=*.corp:*/udp", f"{PIN}=*.corp:*/udp"),
        ("spiffe://corp/dev/*=db:5432", "spiffe://corp/dev/*=db:5432"),
        ("https://id.example/?a=b&c=d=db:5432", "https://id.example/?a=b&c=d=db:5432"),
        ("[::1]:22", "*=[::1]:22"),
        ("2001:db8::7=[::1]:22", "2001:db8::7=[::1]:22"),
        ("a=unix:/run/db.sock", "a=unix:/run/db.sock"),
        ("a=listen:unix:/run/user/*", "a=listen:unix:/run/user/*"),
        ("a=unix:*", "a=unix:*"),
        ("a b=c:1", "a b=c:1"),
    ],
)
def test_a_rule_is_printed_as_it_is_parsed(text: str, canonical: str) -> None:
    rule = parse_rule(text)
    assert str(rule) == canonical
    assert parse_rule(canonical) == rule


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "has no ports"),
        ("db", "has no ports"),
        ("[::1]", "has no ports"),
        ("laptop=", "has no ports"),
        (":22", r"has no host: \* is any"),
        ("db:", "not a list of ports"),
        ("db:ssh", "not a list of ports"),
        ("db:0", "within 1 to 65535"),
        ("db:22/sctp", "not a list of ports"),
        ("::1:22", "in brackets"),
        ("10.0.0.1/8:22", "host bits set"),
        ("=db:22", "is not an identity"),
        ("/run/x", "write unix:/run/x"),
        ("unix:run/x", "starts with a slash"),
        ("unix:/run/a=b.sock", "only stand in a configuration file"),
        ("listen:unix:/run/a=b:22", "only stand in a configuration file"),
        (f"{PIN}db:22", "44 characters of base64"),
        (PIN, "44 characters of base64"),
        ("x" * (MAX_RULE_SIZE + 1), "longer than 1024 characters"),
    ],
)
def test_what_is_no_rule_is_refused_with_what_would_be(text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        parse_rule(text)


def test_a_refusal_quotes_the_rule() -> None:
    with pytest.raises(ValueError, match=r"^rule 'laptop=db:ssh': "):
        parse_rule("laptop=db:ssh")


def test_a_path_with_an_equals_sign_stands_apart_from_its_identity() -> None:
    rule = parse_destination("unix:/run/a=b.sock")
    assert str(rule.destination) == "/run/a=b.sock"


def test_a_destination_is_as_long_as_a_rule() -> None:
    with pytest.raises(ValueError, match="longer than 1024 characters"):
        parse_destination("x" * (MAX_RULE_SIZE + 1))


def test_without_udp_a_rule_is_for_tcp_only() -> None:
    for text, protocol in (("a:1", "tcp"), ("a:1/tcp", "tcp"), ("a:1/udp", "udp")):
        destination = parse_rule(text).destination
        assert isinstance(destination, HostPorts) and destination.protocol == protocol


RULES = st.text() | st.text(alphabet="a=*:/[].0128-,udpnixlst", max_size=40)


@given(RULES)
def test_a_rule_is_parsed_or_a_value_error(text: str) -> None:
    try:
        rule = parse_rule(text)
    except ValueError:
        return
    assert parse_rule(str(rule)) == rule


IDENTITIES = st.sampled_from(["*", "laptop", "a=b", PIN, "spiffe://c/*", "https://c/?x=y", "10.0.0.1", "::1"])
DESTINATIONS = st.sampled_from(
    ["db:22", "*:1-9/udp", "[::1]:22", "listen:*:*", "unix:/run/a", "listen:unix:/run/a/*", "10.0.0.0/8:1"]
)


@given(IDENTITIES, DESTINATIONS)
def test_every_identity_stands_before_every_destination(identity: str, destination: str) -> None:
    rule = parse_rule(f"{identity}={destination}")
    assert str(rule.identity) == identity
    assert rule == parse_destination(destination, rule.identity)
