"""Host names and addresses, and whether a certificate is for one of them (RFC 9525).

Owns: parsing of the names that a client asks for and that a certificate is made for, matching one with the
others, and making text from a certificate safe to print. May not know: X.509, OpenSSL.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_MAX_NAME_SIZE: Final = 253
_MIN_WILDCARD_LABELS: Final = 3  # "*.example" would be a whole top-level domain
_SHOWN_NAMES: Final = 5
_SHOWN_SIZE: Final = 100
_REMEMBERED_HOSTS: Final = 128  # names that this end connects to: its own configuration, not a peer's


@lru_cache(maxsize=_REMEMBERED_HOSTS)
def parse_host(host: str) -> str | IPAddress:
    """Return an address, or a DNS name in lower case as A-labels without the final dot.

    Raises ValueError if `host` is neither.
    """
    try:
        # An IPv6 zone is local: no certificate has it.
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = _to_ascii(host)
    labels = name.split(".")
    if len(name) > _MAX_NAME_SIZE or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{printable(host)!r} is neither a host name nor an IP address")
    return name


def parse_pattern(name: str) -> str | IPAddress:
    """Return what a certificate can be for: an address, or a name as `parse_host`, `*.` may be in front.

    Raises ValueError if it is none of these, or a wildcard so wide that nothing here matches it.
    """
    if not name.startswith("*."):
        return parse_host(name)
    rest = name.removeprefix("*.")
    parsed = parse_host(rest)
    if not isinstance(parsed, str):
        raise ValueError(f"{printable(name)!r} is neither a host name nor an IP address")
    if parsed.count(".") < _MIN_WILDCARD_LABELS - 2:
        raise ValueError(
            f"{printable(name)!r} would be for a whole top-level domain, which no client accepts: "
            f"give *.NAME.{printable(rest)}, or the host names themselves"
        )
    return f"*.{parsed}"


def _to_ascii(host: str) -> str:
    name = host.removesuffix(".").lower()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{printable(host)!r} is not a host name: {error}") from error


def matches(host: str | IPAddress, dns_names: Iterable[str], ip_addresses: Iterable[str]) -> bool:
    """Tell whether one of a certificate's names is `host`: exactly, or by a whole left-most `*`.

    RFC 9525 §6.3. An address only matches an address, a name only a name.
    """
    if not isinstance(host, str):
        return any(address == str(host) or ipaddress.ip_address(address) == host for address in ip_addresses)
    return any(_matches_name(host, pattern.removesuffix(".").lower()) for pattern in dns_names)


def _matches_name(host: str, pattern: str) -> bool:
    if not pattern.startswith("*."):
        return host == pattern
    _, _, host_rest = host.partition(".")
    _, _, pattern_rest = pattern.partition(".")
    return pattern.count(".") >= _MIN_WILDCARD_LABELS - 1 and host_rest == pattern_rest


def printable(text: str) -> str:
    """Make a peer's text safe for a terminal or log: no control characters, at most 100 others."""
    if text.isprintable() and len(text) <= _SHOWN_SIZE:
        return text
    clean = "".join(character if character.isprintable() else "?" for character in text[:_SHOWN_SIZE])
    return clean + "..." if len(text) > _SHOWN_SIZE else clean


def listed(names: Iterable[str]) -> str:
    """Make a short list for an error message: at most five names, then how many more there are."""
    every = list(names)
    shown = ", ".join(printable(name) for name in every[:_SHOWN_NAMES])
    if len(every) > _SHOWN_NAMES:
        return f"{shown} and {len(every) - _SHOWN_NAMES} more"
    return shown
