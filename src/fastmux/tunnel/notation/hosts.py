"""One spelling for a host: what a user or a peer wrote becomes an address or a plain DNS name.

Owns: which spellings are taken. May not know: what a host is asked for, rules, resolving.

A spelling that only some programs read as an address is refused, not guessed at: `2130706433`,
`0177.0.0.1`, `0x7f.1` and `127.1` are loopback to the C library and names to a rule.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from fastmux.security.names import IPAddress, parse_host, printable
from fastmux.tunnel.constants import MAX_HOST_SIZE

_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_ZONE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}", re.ASCII)  # as long as an interface's name


def canonical_host(text: str) -> str | IPAddress:
    """Return the address that `text` is, or the DNS name in lower case, as A-labels, without the final dot.

    An IPv6 address is given without brackets and may have a zone (`fe80::1%eth0`, RFC 4007 §11). Raises
    ValueError for anything else, above all for numbers that are an IPv4 address to some programs only.
    """
    if not text:
        raise ValueError("the host is missing")
    if len(text) > MAX_HOST_SIZE + 1:  # and a final dot
        raise ValueError(f"{printable(text)!r} is longer than {MAX_HOST_SIZE} characters: no host")
    if "%" in text:
        return _scoped(text)
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        name = parse_host(text)
    # The same test browsers make (WHATWG URL §3.5, "ends in a number"), after the conversion to A-labels:
    # full-width digits have become plain ones by now.
    if not isinstance(name, str) or _NUMBER.fullmatch(name.rpartition(".")[2]):
        raise ValueError(
            f"{printable(text)!r} is neither a host name nor an address: "
            "an IPv4 address is four decimal numbers without leading zeros, as in 192.0.2.7"
        )
    return name


def _scoped(text: str) -> IPAddress:
    base, _, zone = text.partition("%")
    try:
        ipaddress.IPv6Address(base)
    except ValueError:
        zone = ""
    if not _ZONE.fullmatch(zone):
        raise ValueError(f"{printable(text)!r} is not an IPv6 address with a zone, as in fe80::1%eth0")
    return ipaddress.IPv6Address(text)


def host_and_port(host: str | IPAddress, port: int | str) -> str:
    """Join both as they are written: `host:port`, `[v6]:port`; no host at all is `*:port`."""
    text = str(host)
    return f"[{text}]:{port}" if ":" in text else f"{text or '*'}:{port}"
