"""Labels that name a place of TCP: `fastmux:tcp:HOST:PORT`.

Owns: how such a label is made, read and compared. May not know: who connects, who listens. An IPv6 address
stands in brackets.
"""

from __future__ import annotations

import ipaddress
from typing import Final

TCP_PREFIX: Final = "fastmux:tcp:"
ANY_HOSTS: Final = frozenset({"", "*", "0.0.0.0", "::"})  # what a listener on all of a host's addresses says


def tcp_label(host: str, port: int) -> str:
    """The label that asks for a place. Raises ValueError for no host, or a port that is not 1 to 65535."""
    if not host:
        raise ValueError("a host is missing: give host and port, or a label")
    if not 1 <= port <= 65535:
        raise ValueError(f"a port is 1 to 65535, not {port}")
    return f"{TCP_PREFIX}[{host}]:{port}" if ":" in host else f"{TCP_PREFIX}{host}:{port}"


def parse_tcp_label(label: str) -> tuple[str, int] | None:
    """Host and port of a label; None if it is none of these."""
    if not label.startswith(TCP_PREFIX):
        return None
    host, _, port = label.removeprefix(TCP_PREFIX).rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        return None
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return (host, int(port)) if host else None


def same_host(host: str) -> str:
    """The spelling by which hosts are compared: addresses in their one form, names without case."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.removesuffix(".").casefold()
