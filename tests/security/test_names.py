"""Host names: what is one, and which certificate names match it."""

from __future__ import annotations

import ipaddress

import pytest

from fastmux.security.names import listed, matches, parse_host, parse_pattern, printable


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("Example.COM.", "example.com"),
        ("localhost", "localhost"),
        ("my_service", "my_service"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("127.0.0.1", ipaddress.IPv4Address("127.0.0.1")),
        ("::1", ipaddress.IPv6Address("::1")),
        ("fe80::1%eth0", ipaddress.IPv6Address("fe80::1")),
    ],
)
def test_a_host_is_a_name_in_lower_case_or_an_address(text: str, parsed: object) -> None:
    assert parse_host(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "a..b", "-a.example", "a-.example", "a b", "a\0.example", "*.example.com",
        "a" * 64, "a." * 127 + "example", "ü" * 64, "host:443", "[::1]",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host name"):
        parse_host(text)


@pytest.mark.parametrize(
    ("host", "name", "expected"),
    [
        ("a.example", "a.example", True),
        ("a.example", "A.Example.", True),
        ("a.example", "b.example", False),
        ("a.b.example", "*.b.example", True),
        ("a.b.example", "*.B.example", True),
        ("b.example", "*.b.example", False),
        ("x.a.b.example", "*.b.example", False),
        ("a.b.example", "a*.b.example", False),
        ("a.b.example", "*a.b.example", False),
        ("a.b.example", "a.*.example", False),
        ("b.example", "*.example", False),
        ("example", "*", False),
        ("a.b.example", "*.*.example", False),
        ("a.b.example", ".b.example", False),
        ("a.b.example", "", False),
    ],
)
def test_a_name_matches_exactly_or_by_a_whole_left_most_label(host: str, name: str, expected: bool) -> None:
    assert matches(host, [name], ["127.0.0.1"]) is expected


def test_an_address_matches_addresses_only_and_a_name_names_only() -> None:
    address = ipaddress.ip_address("10.0.0.1")
    assert matches(address, [], ["::1", "10.0.0.1"])
    assert not matches(address, ["10.0.0.1", "*.0.0.1"], ["10.0.0.2"])
    assert not matches("localhost", [], ["127.0.0.1"])
    assert matches(ipaddress.ip_address("::1"), [], ["0:0::1"])


def test_text_of_a_peer_cannot_steer_a_terminal_nor_fill_a_log() -> None:
    assert printable("a\x1b[2Jb\nc\u202ed") == "a?[2Jb?c?d"
    assert printable("x" * 101) == "x" * 100 + "..."


def test_a_long_list_is_cut_and_counted() -> None:
    assert listed(str(number) for number in range(7)) == "0, 1, 2, 3, 4 and 2 more"
    assert listed(["a", "b\n"]) == "a, b?"
    assert listed([]) == ""


def test_a_wildcard_that_can_be_made_is_one_that_matches() -> None:
    assert parse_pattern("*.B.example.") == "*.b.example"
    assert matches("a.b.example", [str(parse_pattern("*.b.example"))], [])
    assert parse_pattern("a.example") == "a.example"
    assert parse_pattern("::1") == ipaddress.ip_address("::1")
    for name in ("*.example", "*.example.", "*.10.0.0.1", "*", "*.*.example", "a.*.example"):
        with pytest.raises(ValueError, match=r"top-level domain|neither a host name"):
            parse_pattern(name)
