"""Addresses: what is written is read again, and nothing else is taken."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.constants import MAX_LABEL_SIZE
from fastmux.tunnel import constants as c
from fastmux.tunnel.forwarding.wire import label_of
from fastmux.tunnel.notation.targets import Target
from fastmux.tunnel.socks.addresses import (
    AddressTypeError,
    SocksAddress,
    decode_address,
    encode_address,
)
from fastmux.tunnel.socks.errors import SocksError

NAMES = st.from_regex(
    r"([a-z0-9_]([a-z0-9-]{0,9}[a-z0-9])?\.){0,4}[a-z]([a-z0-9-]{0,9}[a-z0-9])?", fullmatch=True
)
HOSTS = st.one_of(st.ip_addresses().map(str), NAMES)
ADDRESSES = st.builds(SocksAddress, HOSTS, st.integers(0, 65_535))


@given(ADDRESSES, st.binary(max_size=20), st.binary(max_size=20))
def test_what_is_written_is_read_again(address: SocksAddress, before: bytes, after: bytes) -> None:
    encoded = encode_address(address)
    expected = address
    assert decode_address(before + encoded + after, len(before)) == (expected, len(before) + len(encoded))


@given(ADDRESSES)
def test_a_part_of_an_address_is_none_yet(address: SocksAddress) -> None:
    encoded = encode_address(address)
    for size in range(len(encoded)):
        assert decode_address(encoded[:size], 0) is None


@given(st.binary(max_size=300))
def test_only_socks_errors_leave(data: bytes) -> None:
    try:
        decoded = decode_address(data, 0)
    except SocksError:
        return
    if decoded is not None:
        assert 0 <= decoded[0].port <= 65_535
        assert decoded[1] <= len(data)


@pytest.mark.parametrize("kind", [0, 2, 5, 255])
def test_an_unknown_type_is_told_apart(kind: int) -> None:
    with pytest.raises(AddressTypeError):
        decode_address(bytes((kind, 1, 2, 3, 4, 5, 6)), 0)


def test_a_name_stays_a_name_in_lower_case_and_ascii() -> None:
    name = "Bücher.Example.".encode()
    decoded = decode_address(bytes((3, len(name))) + name + b"\0\x50", 0)
    assert decoded is not None
    assert decoded[0] == SocksAddress("xn--bcher-kva.example", 80)


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1"])
def test_an_address_written_as_a_name_is_an_address(text: str) -> None:
    decoded = decode_address(bytes((3, len(text))) + text.encode() + b"\0\x50", 0)
    assert decoded is not None
    assert ipaddress.ip_address(decoded[0].host) == ipaddress.ip_address(text)


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"a b",
        b"a\0b",
        b"a\r\nb",
        b"a/b",
        b"a:80",
        b"\xff\xfe",
        b"-.example",
        b"a..b",
        b"fe80::1%eth0",
        b"2130706433",
        b"0177.0.0.1",
        b"0x7f.1",
        b"127.1",
        b"a" * 64 + b".example",
        b".".join([b"a" * 47] * 5),
    ],
)
def test_what_is_no_host_is_refused(name: bytes) -> None:
    with pytest.raises(SocksError):
        decode_address(bytes((3, len(name))) + name + b"\0\x50", 0)


def test_the_longest_name_that_is_taken_fits_the_tunnels_labels() -> None:
    name = ".".join(["a" * 58] * 4)
    assert len(name) < c.MAX_PROXY_HOST_SIZE
    name += "b" * (c.MAX_PROXY_HOST_SIZE - len(name))
    decoded = decode_address(bytes((3, len(name))) + name.encode() + b"\xff\xff", 0)
    assert decoded is not None
    for protocol in ("tcp", "udp"):
        label = label_of(Target("tcp" if protocol == "tcp" else "udp", decoded[0].host, decoded[0].port))
        assert len(label) <= MAX_LABEL_SIZE
    with pytest.raises(SocksError, match="longer"):
        decode_address(bytes((3, len(name) + 1)) + b"a" + name.encode() + b"\xff\xff", 0)


def test_an_address_is_shown_with_brackets_where_they_belong() -> None:
    assert str(SocksAddress("::1", 80)) == "[::1]:80"
    assert str(SocksAddress("example.org", 80)) == "example.org:80"
