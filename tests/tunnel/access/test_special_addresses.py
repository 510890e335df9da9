"""Which addresses are not the public network, in every disguise."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmux.tunnel.access.special_addresses import embedded, same_host, special_range


def kind(text: str) -> str:
    found = special_range(ipaddress.ip_address(text))
    return found.kind if found else "public"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.255", "loopback"),
        ("::1", "loopback"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("fc00::1", "private"),
        ("fec0::1", "private"),
        ("100.64.0.1", "shared with a provider's NAT"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("169.254.169.254", "a cloud's metadata"),
        ("100.100.100.200", "a cloud's metadata"),
        ("168.63.129.16", "a cloud's metadata"),
        ("fd00:ec2::254", "a cloud's metadata"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "broadcast"),
        ("250.0.0.1", "reserved"),
        ("192.0.0.1", "reserved"),
        ("198.18.0.1", "for benchmarks"),
        ("203.0.113.1", "for documentation"),
        ("2001:db8::1", "for documentation"),
        ("64:ff9b:1::1", "for NAT64 of a site"),
        ("4000::1", "reserved"),
        ("9000::1", "reserved"),
        ("::2", "reserved"),
        ("100::1", "reserved"),
        ("5f00::1", "reserved"),
        ("8.8.8.8", "public"),
        ("172.32.0.1", "public"),
        ("100.128.0.1", "public"),
        ("192.0.0.9", "public"),
        ("2606:4700::1111", "public"),
        ("2001:4860:4860::8888", "public"),
        ("64:ff9b::808:808", "public"),
    ],
)
def test_an_address_is_of_its_innermost_range(text: str, expected: str) -> None:
    assert kind(text) == expected


def texts(addresses: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]) -> list[str]:
    return [str(address) for address in addresses]


@pytest.mark.parametrize(
    ("text", "hosts", "inside"),
    [
        ("10.0.0.1", ["10.0.0.1"], []),
        ("::ffff:127.0.0.1", ["127.0.0.1"], []),
        ("64:ff9b::7f00:1", ["64:ff9b::7f00:1", "127.0.0.1"], []),
        ("2002:7f00:1::1", ["2002:7f00:1::1"], ["127.0.0.1"]),
        ("2001:0:a00:1:0:0:80ff:fffe", ["2001:0:a00:1::80ff:fffe"], ["10.0.0.1", "127.0.0.1"]),
        ("64:ff9b:1::a9fe:a9fe", ["64:ff9b:1::a9fe:a9fe"], ["169.254.169.254"]),
        ("64:ff9b:1:7f00:0:100::", ["64:ff9b:1:7f00:0:100::"], ["0.0.0.0", "127.0.0.1"]),
        ("::7f00:1", ["::7f00:1"], ["127.0.0.1"]),
        ("::ffff:0:7f00:1", ["::ffff:0:7f00:1"], ["127.0.0.1"]),
        ("::1", ["::1"], []),
        ("2606:4700::1", ["2606:4700::1"], []),
    ],
)
def test_what_an_address_leads_to_is_found(text: str, hosts: list[str], inside: list[str]) -> None:
    address = ipaddress.ip_address(text)
    assert texts(same_host(address)) == [str(ipaddress.ip_address(each)) for each in hosts]
    assert texts(embedded(address)) == inside


@given(st.ip_addresses())
def test_nothing_is_public_that_the_standard_library_calls_private(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """A second list, made by others, as the model; tunnelled addresses are judged by what they embed."""
    exceptions = [ipaddress.ip_network(text) for text in ("2001::/23", "192.0.0.0/29", "192.88.99.0/24")]
    if any(address in network for network in exceptions if network.version == address.version):
        return
    if special_range(address) is None:
        assert address.is_global and not address.is_multicast


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_its_ipv4_address(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(0xFFFF_0000_0000 | int(address))
    assert same_host(mapped) == (address,)


def test_a_zone_changes_nothing_about_the_range() -> None:
    assert kind("fe80::1%eth0") == "link-local"
