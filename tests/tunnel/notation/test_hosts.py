"""One spelling for a host: what is an address to some programs only is refused."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.notation.hosts import canonical_host, host_and_port

# Spellings of loopback and metadata addresses that the C library, browsers or IDNA read as addresses (H47).
ODD_SPELLINGS = [
    *("2130706433", "0177.0.0.1", "0x7f.1", "0x7f000001", "0X7F.0.0.1", "127.1", "127.0.1", "0", "00", "1"),
    *("017700000001", "0x7f.0x0.0x0.0x1", "127.0.0.01", "127.0.0.1.", "0.0", "256.0.0.1", "127.0.0.1.2"),
    *("2852039166", "0xa9fea9fe", "169.254.43518", "0251.0376.0251.0376", "a.0x7f", "name.1", "0x"),
    *("\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "\u2460\u2461\u2466.0.0.1", "127\uff0e1"),
]


@pytest.mark.parametrize("text", ODD_SPELLINGS)
def test_a_number_that_only_some_programs_take_for_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        canonical_host(text)


@pytest.mark.parametrize("text", ["2130706433", "0177.0.0.1", "0x7f.1", "127.1"])
def test_the_refusal_says_how_an_address_is_written(text: str) -> None:
    with pytest.raises(ValueError, match="four decimal numbers without leading zeros"):
        canonical_host(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("2001:DB8::A", "2001:db8::a"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("b\xfccher.example", "xn--bcher-kva.example"),
        ("db_1", "db_1"),
        ("1a", "1a"),
        ("1.2.3.4.example", "1.2.3.4.example"),
        ("x" * 63, "x" * 63),
    ],
)
def test_a_host_has_one_spelling(text: str, host: str) -> None:
    assert str(canonical_host(text)) == host


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ".",
            "..",
            "a..b",
            "a b",
            "a\n",
            "a\0b",
            "-",
            "-a.b",
            "a/b",
            "a:b",
            "[::1]",
            "127.0.0.1 x",
            "*",
        ),
        *("127.0.0.1%eth0", "::1%", "::1%a/b", "::1%a%b", "::1%" + "x" * 16, "name%eth0", "x" * 64, "é" * 70),
        *("a." * 127 + "b", "x" * 300, "\ud800"),
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        canonical_host(text)


@given(st.text())
def test_a_host_is_parsed_or_a_value_error_and_parsing_it_again_changes_nothing(text: str) -> None:
    try:
        host = canonical_host(text)
    except ValueError:
        return
    assert canonical_host(str(host)) == host


@given(st.from_regex(r"(0x)?[0-9a-f.]{1,20}", fullmatch=True))
def test_no_name_is_an_address_to_the_c_library(text: str) -> None:
    """Guards the gap between `ipaddress` and inet_aton, through which a rule for names would be passed."""
    try:
        host = canonical_host(text)
    except ValueError:
        return
    if isinstance(host, str):
        with pytest.raises(OSError):
            socket.inet_aton(host)
    else:
        assert str(host) == text


@given(st.ip_addresses())
def test_every_address_is_taken_as_it_is_usually_written(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert canonical_host(str(address)) == address


def test_a_host_and_port_are_joined_as_they_are_written() -> None:
    assert host_and_port("a", 1) == "a:1"
    assert host_and_port("::1", 1) == "[::1]:1"
    assert host_and_port(ipaddress.ip_address("::1"), "*") == "[::1]:*"
    assert host_and_port("", 1) == "*:1"
