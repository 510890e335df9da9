"""Addresses that are not the public network: private, loopback, metadata and the like, in every disguise.

Owns: which addresses are special and why, and which IPv4 address an IPv6 address leads to. May not know:
rules, names, who asks.

The ranges are those of the IANA special-purpose registries (RFC 6890), with the addresses at which clouds
serve their metadata, which are worth more than the rest of their range. Of ranges within each other the
innermost counts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fastmux.security.names import IPAddress

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: Final = "loopback"
_PUBLIC: Final = ""
_METADATA: Final = "a cloud's metadata"
_PRIVATE: Final = "private"
_LINK_LOCAL: Final = "link-local"
_MULTICAST: Final = "multicast"
_RESERVED: Final = "reserved"
_DOCUMENTATION: Final = "for documentation"
_UNSPECIFIED: Final = "unspecified"

_RANGES: Final = {
    # IPv4
    "0.0.0.0/8": _UNSPECIFIED,  # "this network": 0.0.0.0 is this host to many systems
    "10.0.0.0/8": _PRIVATE,
    "100.64.0.0/10": "shared with a provider's NAT",
    "100.100.100.200/32": _METADATA,  # Alibaba Cloud
    "127.0.0.0/8": LOOPBACK,
    "168.63.129.16/32": _METADATA,  # Azure, though the address is a public one
    "169.254.0.0/16": _LINK_LOCAL,
    "169.254.169.253/32": _METADATA,  # the resolver of AWS
    "169.254.169.254/32": _METADATA,  # AWS, Azure, Google Cloud, OpenStack, Oracle and others
    "169.254.170.2/32": _METADATA,  # AWS: credentials of containers
    "169.254.170.23/32": _METADATA,
    "172.16.0.0/12": _PRIVATE,
    "192.0.0.0/24": _RESERVED,
    "192.0.0.9/32": _PUBLIC,  # RFC 7723
    "192.0.0.10/32": _PUBLIC,  # RFC 8155
    "192.0.0.192/32": _METADATA,  # Oracle Cloud
    "192.0.2.0/24": _DOCUMENTATION,
    "192.88.99.0/24": _RESERVED,  # RFC 7526
    "192.168.0.0/16": _PRIVATE,
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": _DOCUMENTATION,
    "203.0.113.0/24": _DOCUMENTATION,
    "224.0.0.0/4": _MULTICAST,
    "240.0.0.0/4": _RESERVED,
    "255.255.255.255/32": "broadcast",
    # IPv6: only 2000::/3 is given out; a range beyond it is reserved even where nothing else is said
    "::/3": _RESERVED,
    "4000::/2": _RESERVED,
    "8000::/1": _RESERVED,
    "::/128": _UNSPECIFIED,
    "::1/128": LOOPBACK,
    "64:ff9b::/96": _PUBLIC,  # NAT64 (RFC 6052): what is embedded counts
    "64:ff9b:1::/48": "for NAT64 of a site",  # RFC 8215
    "2001::/23": _RESERVED,
    "2001::/32": _PUBLIC,  # Teredo (RFC 4380): what is embedded counts
    "2001:1::1/128": _PUBLIC,  # RFC 7723
    "2001:1::2/128": _PUBLIC,  # RFC 8155
    "2001:1::3/128": _PUBLIC,  # RFC 9665
    "2001:3::/32": _PUBLIC,  # RFC 7450
    "2001:4:112::/48": _PUBLIC,  # RFC 7535
    "2001:20::/28": _PUBLIC,  # RFC 7343
    "2001:30::/28": _PUBLIC,  # RFC 9374
    "2001:db8::/32": _DOCUMENTATION,
    "3fff::/20": _DOCUMENTATION,
    "fc00::/7": _PRIVATE,
    "fd00:ec2::254/128": _METADATA,  # AWS
    "fd20:ce::254/128": _METADATA,  # Google Cloud
    "fe80::/10": _LINK_LOCAL,
    "fe80::a9fe:a9fe/128": _METADATA,  # OpenStack
    "fec0::/10": _PRIVATE,  # site-local, deprecated but still routed in places (RFC 3879)
    "ff00::/8": _MULTICAST,
}


@dataclass(frozen=True, slots=True)
class SpecialRange:
    """A range of addresses and what it is for, as an adjective: "private", "link-local"."""

    network: IPNetwork
    kind: str


_INNERMOST_FIRST: Final = sorted(
    (SpecialRange(ipaddress.ip_network(text), kind) for text, kind in _RANGES.items()),
    key=lambda each: -each.network.prefixlen,
)
_BY_VERSION: Final = {
    version: [each for each in _INNERMOST_FIRST if each.network.version == version] for version in (4, 6)
}
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")  # RFC 4291 §2.5.5.1, deprecated
_TRANSLATED: Final = ipaddress.IPv6Network("::ffff:0:0:0/96")  # RFC 2765 §2.1


def special_range(address: IPAddress) -> SpecialRange | None:
    """Return the innermost special range that an address lies in, None for a public address.

    What an IPv6 address embeds is not looked at: see `same_host` and `embedded`.
    """
    for each in _BY_VERSION[address.version]:
        if address in each.network:
            return each if each.kind else None
    return None


def same_host(address: IPAddress) -> tuple[IPAddress, ...]:
    """Return the addresses that mean the host of this one, the one to dial first.

    An IPv4-mapped address is the IPv4 address and nothing else (RFC 4291 §2.5.5.2); one of the well-known
    NAT64 prefix leads to the IPv4 host that it embeds (RFC 6052 §2.1).
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return (address.ipv4_mapped,)
        if address in _NAT64:
            return address, _low_bits(address)
    return (address,)


def embedded(address: IPAddress) -> tuple[IPAddress, ...]:
    """Return the IPv4 addresses that packets to this IPv6 address may end at, besides `same_host`.

    6to4 (RFC 3056 §2), Teredo's server and client (RFC 4380 §4), a site's own NAT64 (RFC 8215, with a
    prefix of /96 or /48), and the deprecated forms.
    """
    if not isinstance(address, ipaddress.IPv6Address):
        return ()
    return tuple(_embedded(address))


def _embedded(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _TRANSLATED or (address in _COMPATIBLE and int(address) > 1):
        yield _low_bits(address)
    if address in _LOCAL_NAT64:
        yield _low_bits(address)
        bits = int(address)  # RFC 6052 §2.2: around the octet of zeros in bits 64 to 71
        around = (bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF
        if around:
            yield ipaddress.IPv4Address(around)


def _low_bits(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
