"""Patterns of hosts in a rule: names, suffixes, addresses, networks, `*`.

Owns: their grammar, and which of them names an address that is not a public one. May not know: ports,
identities, resolving.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from fastmux.security.names import IPAddress, printable
from fastmux.tunnel.access.special_addresses import IPNetwork, special_range
from fastmux.tunnel.notation.hosts import canonical_host


@dataclass(frozen=True, slots=True)
class AnyHost:
    """`*`: every name and every public address."""

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True, slots=True)
class NamePattern:
    """One name, or with `is_suffix` every name that ends in a dot and it (`*.corp.example`)."""

    name: str
    is_suffix: bool = False

    def __str__(self) -> str:
        return f"*.{self.name}" if self.is_suffix else self.name

    def matches(self, name: str) -> bool:
        """Tell whether a canonical name is meant."""
        return name.endswith("." + self.name) if self.is_suffix else name == self.name


@dataclass(frozen=True, slots=True)
class NetworkPattern:
    """One address (a network of one), with its zone if it has one, or a network."""

    network: IPNetwork
    zone: str = ""

    def __str__(self) -> str:
        is_one = self.network.prefixlen == self.network.max_prefixlen
        text = str(self.network.network_address) if is_one else str(self.network)
        if self.zone:
            text += f"%{self.zone}"
        return f"[{text}]" if self.network.version == 6 else text

    def covers(self, address: IPAddress) -> bool:
        """Tell whether an address is in it. One with a zone is only where the very same is named."""
        if address not in self.network:
            return False
        zone = address.scope_id or "" if isinstance(address, ipaddress.IPv6Address) else ""
        return zone == self.zone

    def names(self, address: IPAddress) -> bool:
        """Tell whether it covers an address, and if that one is special lies within the same special range.

        So 10.0.0.0/8 names what is in it, and 0.0.0.0/0 does not; an address of a cloud's metadata is only
        named by itself.
        """
        if not self.covers(address):
            return False
        special = special_range(address)
        return special is None or _is_within(self.network, special.network)


HostPattern = AnyHost | NamePattern | NetworkPattern
ANY_HOST: Final = AnyHost()


def parse_host_pattern(text: str) -> HostPattern:
    """Parse a name, `*.suffix`, `*`, an IPv4 address or network, or an IPv6 one in brackets.

    Raises ValueError.
    """
    if text == "*":
        return ANY_HOST
    if text.startswith("["):
        return _parse_v6(text)
    if "/" in text:
        return NetworkPattern(_network(text, 4))
    if ":" in text:
        raise ValueError(f"{printable(text)!r}: an IPv6 address or network goes in brackets, as [::1]")
    host = canonical_host(text.removeprefix("*."))
    if isinstance(host, str):
        return NamePattern(host, text.startswith("*."))
    if text.startswith("*."):
        raise ValueError(f"{printable(text)!r}: *. goes before a name; a network is written 10.0.0.0/8")
    return NetworkPattern(ipaddress.ip_network(host))


def _parse_v6(text: str) -> NetworkPattern:
    shown = printable(text)
    if not text.endswith("]"):
        raise ValueError(f"{shown!r} has brackets that are not around one IPv6 address or network")
    inside = text[1:-1]
    if "%" in inside:
        address = canonical_host(inside)
        base, _, zone = str(address).partition("%")
        return NetworkPattern(ipaddress.IPv6Network(base), zone)
    network = _network(inside, 6)
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError(f"{shown!r} maps IPv4 addresses: write the IPv4 address or network itself")
    return NetworkPattern(network)


def _network(text: str, version: int) -> IPNetwork:
    network: IPNetwork
    try:
        network = ipaddress.IPv4Network(text) if version == 4 else ipaddress.IPv6Network(text)
    except ValueError as error:
        raise ValueError(f"{printable(text)!r} is no IPv{version} network: {printable(str(error))}") from None
    return network


def _is_within(network: IPNetwork, outer: IPNetwork) -> bool:
    return network.prefixlen >= outer.prefixlen and network.network_address in outer
