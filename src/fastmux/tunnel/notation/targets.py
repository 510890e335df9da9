"""Addresses, targets and forwards, as they are written on a command line or in a configuration file.

Owns: their grammar (OpenSSH's, with `/udp` and Unix sockets). May not know: sockets, rules, who asks.

Every parser raises ValueError, and nothing else, with a sentence that says what would be right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from fastmux.security.names import printable
from fastmux.tunnel.notation.hosts import canonical_host, host_and_port
from fastmux.tunnel.notation.paths import socket_path
from fastmux.tunnel.notation.ports import parse_port

Protocol = Literal["tcp", "udp", "unix"]

LOOPBACK: Final = "127.0.0.1"  # what a listener binds unless it is told otherwise
_FORWARD_FORMS: Final = (
    "a forward is [bind:]port:host:port[/udp], [bind:]port:/path, /path:host:port or /path:/path, "
    "with an IPv6 address in brackets"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where something is dialled or listens: a host and port, or the path of a Unix socket.

    `host` is canonical (`canonical_host`); "" is all interfaces, which only a listener may have, as only
    it may have port 0 for any free one. `path` is for "unix", `host` and `port` are for the others.
    """

    protocol: Protocol
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        """`host:port`, `[v6]:port`, `*:port`, each with `/udp` if it is that, or the path."""
        if self.protocol == "unix":
            return self.path
        return host_and_port(self.host, self.port) + ("/udp" if self.protocol == "udp" else "")


@dataclass(frozen=True, slots=True)
class Forward:
    """One `-L` or `-R`: what comes in at `listen` goes on to `to`."""

    listen: Target
    to: Target

    def __str__(self) -> str:
        """In the form that `parse_forward` reads."""
        listen = str(self.listen).removesuffix("/udp")
        return f"{listen}:{self.to}"


def parse_address(
    text: str, *, default_host: str | None = None, default_port: int | None = None, min_port: int = 0
) -> tuple[str, int]:
    """Parse `host:port` or `[v6]:port` into the canonical host and the port.

    With `default_port` a host alone will do. With `default_host` it is an address to bind: a port alone will
    do, and an empty host or `*` is all interfaces (""). Raises ValueError.
    """
    fields = _fields(text)
    if len(fields) == 1:
        field = fields[0]
        if default_host is not None and field.isascii() and field.isdigit():
            return default_host, parse_port(field, minimum=min_port)
        if default_port is None:
            form = "host:port" if default_host is None else "a port, or bind:port"
            raise ValueError(f"{printable(text)!r} lacks its port: write {form}")
        fields.append(str(default_port))
    if len(fields) != 2:
        raise ValueError(f"{printable(text)!r} is not host:port: an IPv6 address goes in brackets, [::1]:22")
    return _host(fields[0], may_be_any=default_host is not None), parse_port(fields[1], minimum=min_port)


def parse_target(text: str) -> Target:
    """Parse `host:port`, `[v6]:port` (both may end in `/udp`) or the path of a Unix socket.

    Raises ValueError.
    """
    if text.startswith("/"):
        return Target("unix", path=socket_path(text))
    address, protocol = _without_protocol(text)
    return Target(protocol, *parse_address(address, min_port=1))


def parse_bind(text: str, protocol: Protocol = "tcp") -> Target:
    """Parse where something listens: `port`, `bind:port`, or the path of a Unix socket for "unix".

    `bind` is 127.0.0.1 unless given; empty or `*` is all interfaces; port 0 is any free one. Raises
    ValueError.
    """
    if protocol == "unix":
        return Target("unix", path=socket_path(text))
    return Target(protocol, *parse_address(text, default_host=LOOPBACK))


def parse_forward(text: str) -> Forward:
    """Parse what follows `-L` or `-R`, in OpenSSH's forms and with `/udp` at the end.

    `[bind:]port:host:port[/udp]`, `[bind:]port:/path`, `/path:host:port`, `/path:/path`. `bind` as
    `parse_bind` takes it. A path here has no colon. Raises ValueError.
    """
    plain, protocol = text, None
    if not _fields(text)[-1].startswith("/"):
        plain, protocol = _without_protocol(text)
    fields = _fields(plain)
    size = 1 if fields[-1].startswith("/") else 2  # of the destination
    before, after = fields[:-size], fields[-size:]
    if not before or len(before) > 2 or any(field.startswith("/") for field in before[1:]):
        raise ValueError(f"{printable(text)!r} is no forward: {_FORWARD_FORMS}")
    if after[0].startswith("/"):
        to = Target("unix", path=socket_path(after[0]))
    else:
        to = Target(protocol or "tcp", _host(after[0]), parse_port(after[1], minimum=1))
    if before[0].startswith("/"):
        if len(before) > 1:
            raise ValueError(f"{printable(text)!r} is no forward: {_FORWARD_FORMS}")
        if protocol == "udp":
            raise ValueError(f"{printable(text)!r}: UDP listens on a port, not on a Unix socket")
        return Forward(Target("unix", path=socket_path(before[0])), to)
    host = _host(before[0], may_be_any=True) if len(before) > 1 else LOOPBACK
    return Forward(Target(protocol or "tcp", host, parse_port(before[-1])), to)


def _fields(text: str) -> list[str]:
    """Cut at the colons outside of brackets; the brackets stay."""
    fields = []
    rest = text
    while True:
        if rest.startswith("["):
            inside, bracket, rest = rest.partition("]")
            if not bracket or (rest and not rest.startswith(":")):
                raise ValueError(f"{printable(text)!r} has brackets that are not around one IPv6 address")
            fields.append(inside + bracket)
            if not rest:
                return fields
            rest = rest[1:]
        else:
            field, colon, rest = rest.partition(":")
            fields.append(field)
            if not colon:
                return fields


def _without_protocol(text: str) -> tuple[str, Literal["tcp", "udp"]]:
    """Take `/udp` or `/tcp` off the end; a slash before the last colon belongs to a path."""
    start, colon, end = text.rpartition(":")
    port, slash, protocol = end.partition("/")
    if not slash:
        return text, "tcp"
    if protocol == "udp":
        return start + colon + port, "udp"
    if protocol == "tcp":
        return start + colon + port, "tcp"
    raise ValueError(f"{printable(text)!r} ends in neither /udp nor /tcp")


def _host(field: str, *, may_be_any: bool = False) -> str:
    if may_be_any and field in ("", "*"):
        return ""
    if field.startswith("["):
        host = canonical_host(field[1:-1])
        if ":" not in str(host):
            raise ValueError(f"{printable(field)!r}: brackets are for IPv6 addresses")
        return str(host)
    return str(canonical_host(field))
