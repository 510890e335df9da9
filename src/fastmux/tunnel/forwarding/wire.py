"""What the two ends of a tunnel ask of each other: the labels of channels.

Owns: the grammar of the labels. May not know: answers (`fastmux.aio.answers`), sockets, rules, who
dials. Whatever a peer can put into a label is either a request of this module or a ValueError.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from fastmux import constants as c
from fastmux.security.names import printable
from fastmux.tunnel.notation.hosts import canonical_host, host_and_port
from fastmux.tunnel.notation.paths import socket_path
from fastmux.tunnel.notation.ports import parse_port
from fastmux.tunnel.notation.targets import Target

if TYPE_CHECKING:
    pass

PREFIX: Final = "fastmux:"
PING_LABEL: Final = "fastmux:ping"
_LISTEN: Final = "fastmux:listen:"
_ACCEPTED: Final = "fastmux:accepted:"


# --- requests -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dial:
    """The acceptor connects to `target` and carries bytes, or datagrams for "udp", both ways."""

    target: Target


@dataclass(frozen=True, slots=True)
class Listen:
    """The acceptor listens at `target` as long as the stream lives."""

    target: Target


@dataclass(frozen=True, slots=True)
class Accepted:
    """The listener of stream `listen_id` has a new peer; `host` is "" and `port` 0 for a Unix socket."""

    listen_id: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Each message is sent back."""


Request: TypeAlias = Dial | Listen | Accepted | Ping


def label_of(target: Target) -> str:
    """The label that asks the far end to dial `target`. Raises ValueError if it is too long for a label."""
    return _bounded(PREFIX + _place(target))


def listen_label_of(target: Target) -> str:
    """The label that asks the far end to listen at `target`. Raises ValueError as `label_of`."""
    return _bounded(_LISTEN + _place(target))


def accepted_label_of(listen_id: int, host: str = "", port: int = 0) -> str:
    """The label of a channel for a listener's new peer, at an address or, without one, at a Unix socket."""
    peer = host_and_port(host, port) if host else ":0"
    return f"{_ACCEPTED}{listen_id}:{peer}"


def parse_label(label: str) -> Request:
    """Read the label of an incoming channel. Raises ValueError for anything that is no request."""
    if label == PING_LABEL:
        return Ping()
    if label.startswith(_ACCEPTED):
        return _parse_accepted(label.removeprefix(_ACCEPTED))
    if label.startswith(_LISTEN):
        return Listen(_parse_place(label.removeprefix(_LISTEN), may_listen=True))
    if label.startswith(PREFIX):
        return Dial(_parse_place(label.removeprefix(PREFIX), may_listen=False))
    raise ValueError(f"{printable(label)!r} is not a label of the tunnel")


def _bounded(label: str) -> str:
    size = len(label.encode("utf-8", "replace"))
    if size > c.MAX_LABEL_SIZE:
        raise ValueError(f"{printable(label)!r} has {size} bytes: a label has at most {c.MAX_LABEL_SIZE}")
    return label


def _place(target: Target) -> str:
    if target.protocol == "unix":
        return f"unix:{target.path}"
    return f"{target.protocol}:{host_and_port(target.host, target.port)}"


def _parse_place(text: str, *, may_listen: bool) -> Target:
    """Parse what follows the verb. A listener may have any host, and port 0."""
    protocol, _, rest = text.partition(":")
    if protocol == "unix":
        return Target("unix", path=socket_path(rest))
    if protocol not in ("tcp", "udp"):
        raise ValueError(f"{printable(protocol)!r} is not tcp, udp or unix")
    host, _, port = rest.rpartition(":")
    is_any = may_listen and host in ("", "*")
    return Target(
        "tcp" if protocol == "tcp" else "udp",
        host="" if is_any else _parse_host(host),
        port=parse_port(port, minimum=0 if may_listen else 1),
    )


def _parse_host(text: str) -> str:
    """Parse a name or an address; exactly the IPv6 ones are in brackets. Raises ValueError."""
    is_bracketed = text.startswith("[") and text.endswith("]")
    host = canonical_host(text[1:-1] if is_bracketed else text)
    if isinstance(host, ipaddress.IPv6Address) != is_bracketed:
        raise ValueError(f"{printable(text)!r}: an IPv6 address, and nothing else, is in brackets")
    return str(host)


def _parse_accepted(text: str) -> Accepted:
    number, _, peer = text.partition(":")
    if not (number.isascii() and number.isdigit() and len(number) <= 19 and int(number) <= c.MAX_VARINT):
        raise ValueError(f"{printable(number)!r} is not the number of a channel")
    host, _, port = peer.rpartition(":")
    return Accepted(int(number), _parse_host(host) if host else "", parse_port(port))
