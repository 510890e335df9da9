"""Rules: who may reach or open what, one rule a line of text.

Owns: the grammar of a rule. May not know: what a name resolves to, how rules are put together.

    RULE        = [IDENTITY "="] DESTINATION
    DESTINATION = HOST ":" PORTS ["/udp"]               what may be dialled
                | "listen:" HOST ":" PORTS ["/udp"]     where a reverse listener may bind
                | "unix:" PATH                          a Unix socket that may be dialled
                | "listen:unix:" PATH                   where one may be made
    IDENTITY    = "*" | name | IP address | URI | URI ending in "/*" | pin       none: "*"
    HOST        = "*" | name | "*." name | IPv4 [/length] | "[" IPv6 [/length] "]"
    PORTS       = "*" | list of ports and ranges, as 22,80,8000-8099
    PATH        = "*" | absolute path, one "*" may be in its last part

The last `=` ends the identity: pins end in one and URIs may hold some, a destination has none. A path with
`=` is written in the configuration file, where the identity stands apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastmux.security.names import printable
from fastmux.tunnel.access.host_patterns import HostPattern, parse_host_pattern
from fastmux.tunnel.access.identity_patterns import ANYBODY, IdentityPattern, parse_identity
from fastmux.tunnel.constants import MAX_RULE_SIZE
from fastmux.tunnel.notation.paths import PathPattern, parse_path_pattern
from fastmux.tunnel.notation.ports import PortSet, parse_ports

_LISTEN = "listen:"
_UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class HostPorts:
    """Ports of hosts, by one protocol."""

    protocol: Literal["tcp", "udp"]
    host: HostPattern
    ports: PortSet

    def __str__(self) -> str:
        return f"{self.host}:{self.ports}" + ("/udp" if self.protocol == "udp" else "")


@dataclass(frozen=True, slots=True)
class Rule:
    """Allows the peers of an identity one destination: to dial it, or with `listens` to have it listened on.

    `str()` gives the text that `parse_rule` reads.
    """

    identity: IdentityPattern
    listens: bool
    destination: HostPorts | PathPattern

    def __str__(self) -> str:
        kind = _UNIX if isinstance(self.destination, PathPattern) else ""
        return f"{self.identity}={_LISTEN if self.listens else ''}{kind}{self.destination}"


def parse_rule(text: str) -> Rule:
    """Parse `[IDENTITY=]DESTINATION`. Raises ValueError with the text and what would be right."""
    if len(text) > MAX_RULE_SIZE:
        raise ValueError(f"rule {printable(text)!r} is longer than {MAX_RULE_SIZE} characters")
    identity, equals, destination = text.rpartition("=")
    try:
        return parse_destination(destination, parse_identity(identity) if equals else ANYBODY)
    except ValueError as error:
        raise ValueError(f"rule {printable(text)!r}: {error}") from None


def parse_destination(text: str, identity: IdentityPattern = ANYBODY) -> Rule:
    """Parse what a rule allows, for an identity that is known already. Raises ValueError."""
    if len(text) > MAX_RULE_SIZE:
        raise ValueError(f"{printable(text)!r} is longer than {MAX_RULE_SIZE} characters")
    rest = text.removeprefix(_LISTEN)
    listens = rest != text
    if rest.startswith(_UNIX):
        return Rule(identity, listens, parse_path_pattern(rest.removeprefix(_UNIX)))
    if rest.startswith("/"):
        raise ValueError(f"{printable(rest)!r} is a path: write unix:{printable(rest)}")
    protocol: Literal["tcp", "udp"] = "udp" if rest.endswith("/udp") else "tcp"
    rest = rest.removesuffix(f"/{protocol}")
    host, colon, ports = rest.rpartition(":")
    if not colon or ports.endswith("]"):
        raise ValueError(
            f"{printable(text)!r} has no ports: a rule allows HOST:PORTS, listen:HOST:PORTS or unix:PATH"
        )
    if not host:
        raise ValueError(f"{printable(text)!r} has no host: * is any")
    return Rule(identity, listens, HostPorts(protocol, parse_host_pattern(host), parse_ports(ports)))
