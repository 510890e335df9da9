"""Who a rule means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.protocol.handshake import PeerIdentity
from fastmux.tunnel.access.identity_patterns import identity_text, parse_identity

PIN = "sha256//" + "A" * 43 + "="
LAPTOP = PeerIdentity(
    "laptop", ("Laptop.Example",), ("10.0.0.7", "2001:db8::7"), ("spiffe://corp/dev/ann",), PIN, b"x"
)


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "laptop",
        "laptop.example",
        "LAPTOP.EXAMPLE",
        "10.0.0.7",
        "2001:DB8:0::7",
        PIN,
        "spiffe://corp/dev/ann",
    ]
    + ["spiffe://corp/dev/*", "spiffe://corp/*"],
)
def test_a_peer_is_known_by_each_of_its_names(text: str) -> None:
    assert parse_identity(text).matches(LAPTOP)


@pytest.mark.parametrize(
    "text",
    ["Laptop", "lap", "laptop.example.org", "10.0.0.8", PIN.replace("A", "B"), "spiffe://corp/dev"]
    + [
        "spiffe://corp/dev/ann/*",
        "spiffe://corp/de/*",
        "spiffe://corp/dev/an",
        "spiffe://other/*",
        "example",
    ],
)
def test_another_name_is_another_peer(text: str) -> None:
    assert not parse_identity(text).matches(LAPTOP)


@pytest.mark.parametrize("text", ["*", "laptop"])
def test_a_peer_without_a_certificate_is_nobody(text: str) -> None:
    assert not parse_identity(text).matches(PeerIdentity(common_name="laptop"))


def test_an_address_may_be_the_common_name() -> None:
    assert parse_identity("10.0.0.9").matches(PeerIdentity(common_name="10.0.0.9", pin=PIN))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is not an identity"),
        (" a", "is not an identity"),
        ("a\n", "is not an identity"),
        ("a*", "stands alone"),
        ("*.example", "stands alone"),
        ("spiffe://*", "after a slash"),
        ("spiffe:///*", "after a slash"),
        ("spiffe://corp/a*", "after a slash"),
        ("spiffe://corp/*/b/*", "after a slash"),
        ("sha256//AAAA=", "44 characters of base64"),
        ("sha256//" + "A" * 44, "44 characters"),
        ("unix:/run/a", "starts what is allowed"),
        ("listen:unix:/run/a", "starts what is allowed"),
        ("x" * 2000, "is not an identity"),
    ],
)
def test_what_names_nobody_is_refused(text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        parse_identity(text)


@given(st.text() | st.text(alphabet="a*:/=.[]sha256", max_size=20))
def test_a_pattern_is_parsed_or_a_value_error_and_printed_as_it_was(text: str) -> None:
    try:
        pattern = parse_identity(text)
    except ValueError:
        return
    assert parse_identity(str(pattern)) == pattern
    pattern.matches(LAPTOP)


@pytest.mark.parametrize("name", ["*", "a\nb", "unix:/x", "spiffe://*", "x" * 150, " a", ""])
def test_a_rule_names_a_peer_by_its_pin_where_its_name_is_no_pattern_for_it(name: str) -> None:
    """Guards the log's advice: a peer named '*' must not be told that '*=' would allow it."""
    assert identity_text(PeerIdentity(common_name=name, pin=PIN)) == PIN


def test_a_rule_names_a_peer_by_its_name() -> None:
    assert identity_text(LAPTOP) == "laptop"
