"""Addresses as SOCKS5 writes them: a type, then four bytes, sixteen, or a name of up to 255 (RFC 1928 §5).

Owns: their bytes, both ways, and which hosts are taken. May not know: where they are used. A name stays a
name: it is resolved at the exit and nowhere else (H52).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from fastmux.security.names import printable
from fastmux.tunnel import constants as c
from fastmux.tunnel.notation.hosts import canonical_host, host_and_port
from fastmux.tunnel.socks.errors import SocksError

IPV4: Final = 1
NAME: Final = 3
IPV6: Final = 4
_SIZES: Final = {IPV4: 4, IPV6: 16}


class AddressTypeError(SocksError):
    """An address type that RFC 1928 does not have: a refusal with a code of its own."""


@dataclass(frozen=True, slots=True)
class SocksAddress:
    """A host, as an address without brackets or a name in lower case, and a port of 0 to 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        """`host:port`, with an IPv6 address in brackets."""
        return host_and_port(self.host, self.port)


def decode_address(data: bytes | bytearray, start: int) -> tuple[SocksAddress, int] | None:
    """The address that begins at `start`, and where it ends; None if it goes on beyond `data`.

    Raises AddressTypeError for an unknown type, SocksError for a name that is none.
    """
    if len(data) <= start:
        return None
    kind = data[start]
    host_at = start + 1
    if kind == NAME:
        if len(data) <= host_at:
            return None
        size = data[host_at]
        host_at += 1
    elif kind in _SIZES:
        size = _SIZES[kind]
    else:
        raise AddressTypeError(f"{kind} is no address type of SOCKS5")
    port_at = host_at + size
    if len(data) < port_at + 2:
        return None
    raw = bytes(data[host_at:port_at])
    host = _checked_name(raw) if kind == NAME else str(ipaddress.ip_address(raw))
    return SocksAddress(host, int.from_bytes(data[port_at : port_at + 2])), port_at + 2


def encode_address(address: SocksAddress) -> bytes:
    """The bytes of an address: by its family if the host is one, as a name otherwise."""
    port = address.port.to_bytes(2)
    try:
        ip = ipaddress.ip_address(address.host)
    except ValueError:
        name = address.host.encode("ascii")
        return bytes((NAME, len(name))) + name + port
    return bytes((IPV4 if ip.version == 4 else IPV6,)) + ip.packed + port


def _checked_name(raw: bytes) -> str:
    """A name, or an address that was written as one."""
    try:
        text = raw.decode("utf-8")
        if "%" in text:  # a zone means nothing at the exit
            raise ValueError("a host has no %")
        host = str(canonical_host(text))
    except ValueError:
        shown = printable(raw.decode("utf-8", "replace"))
        raise SocksError(f"{shown!r} is neither a host name nor an address") from None
    if len(host) > c.MAX_PROXY_HOST_SIZE:
        raise SocksError(f"the name {printable(host)!r} is longer than {c.MAX_PROXY_HOST_SIZE} bytes")
    return host
