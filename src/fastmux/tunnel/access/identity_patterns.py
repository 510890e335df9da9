"""Who a peer is called, and the patterns that a rule names peers by.

Owns: the grammar of an identity and what it matches. May not know: what is allowed to whom, certificates.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.names import printable
from fastmux.security.peer_names import name_of
from fastmux.tunnel.constants import MAX_RULE_SIZE

_PIN: Final = re.compile(r"sha256//[A-Za-z0-9+/]{43}=", re.ASCII)
_URI: Final = re.compile(r"([a-z][a-z0-9+.-]*):\S+", re.ASCII)
_ONLY_SCHEME: Final = re.compile(r"[^:]*:/*", re.ASCII)
_DESTINATIONS: Final = frozenset({"listen", "unix"})  # a rule's own words: no identity starts with them


class IdentityKind(Enum):
    """By what a pattern compares."""

    ANYBODY = auto()
    NAME = auto()  # the CN or a DNS name
    ADDRESS = auto()  # an IP address among the alternative names, or as the CN
    URI = auto()
    URI_START = auto()  # a URI whose end may differ
    PIN = auto()


@dataclass(frozen=True, slots=True)
class IdentityPattern:
    """Names one peer or several; made by `parse_identity`. `text` is what is compared."""

    kind: IdentityKind
    text: str

    def __str__(self) -> str:
        return self.text + ("*" if self.kind is IdentityKind.URI_START else "")

    def matches(self, peer: PeerIdentity) -> bool:
        """Tell whether a peer is meant. A peer without a certificate is never."""
        return bool(peer.pin) and self._is_of(peer)

    def _is_of(self, peer: PeerIdentity) -> bool:
        match self.kind:
            case IdentityKind.ANYBODY:
                return True
            case IdentityKind.PIN:
                return peer.pin == self.text
            case IdentityKind.URI:
                return self.text in peer.uris
            case IdentityKind.URI_START:
                return any(len(uri) > len(self.text) and uri.startswith(self.text) for uri in peer.uris)
            case IdentityKind.ADDRESS:
                address = ipaddress.ip_address(self.text)
                addresses = (ipaddress.ip_address(each) for each in peer.ip_addresses)
                return peer.common_name == self.text or address in addresses
            case IdentityKind.NAME:
                return peer.common_name == self.text or self.text.lower() in (
                    name.lower() for name in peer.dns_names
                )


ANYBODY: Final = IdentityPattern(IdentityKind.ANYBODY, "*")


def parse_identity(text: str) -> IdentityPattern:
    """Parse a name, an IP address, a URI (which may end in `/*`), a pin (`sha256//…=`), or `*`.

    A name is compared with the subject's CN exactly, and with the DNS names without regard to case. Raises
    ValueError.
    """
    shown = printable(text)
    if text == "*":
        return ANYBODY
    if not text or text != text.strip() or not text.isprintable() or len(text) > MAX_RULE_SIZE:
        raise ValueError(f"{shown!r} is not an identity: a name, an address, a URI, a pin, or * for anybody")
    if text.startswith("sha256//"):
        if not _PIN.fullmatch(text):
            raise ValueError(f"{shown!r} is not a pin: sha256// and 44 characters of base64, the last a =")
        return IdentityPattern(IdentityKind.PIN, text)
    try:
        return IdentityPattern(IdentityKind.ADDRESS, str(ipaddress.ip_address(text)))
    except ValueError:
        uri = _URI.fullmatch(text)
    return _parse_uri(text, uri[1]) if uri else _parse_name(text)


def _parse_name(text: str) -> IdentityPattern:
    if "*" in text:
        raise ValueError(
            f"{printable(text)!r}: in an identity * stands alone, for anybody, or at the end of a URI"
        )
    return IdentityPattern(IdentityKind.NAME, text)


def _parse_uri(text: str, scheme: str) -> IdentityPattern:
    shown = printable(text)
    if scheme in _DESTINATIONS:
        raise ValueError(
            f"{shown!r} is no identity, as '{scheme}:' starts what is allowed; a path with '=' in it "
            "can only stand in a configuration file, apart from its identity"
        )
    if "*" not in text:
        return IdentityPattern(IdentityKind.URI, text)
    start = text.removesuffix("*")
    if "*" in start or not start.endswith("/") or _ONLY_SCHEME.fullmatch(start):
        raise ValueError(f"{shown!r}: * stands at the end of a URI after a slash, as in spiffe://corp/dev/*")
    return IdentityPattern(IdentityKind.URI_START, start)


def identity_text(peer: PeerIdentity) -> str:
    """Return how a rule would name this peer: by its name if that is a pattern for it, else by its pin."""
    name = name_of(peer)
    try:
        if parse_identity(name).matches(peer) and name != "*":
            return name
    except ValueError:
        return peer.pin
    return peer.pin
